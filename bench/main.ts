/**
 * `npm run bench`: CPU of Envoy's worker thread per request, side by side. Short bursts alternate
 * between the contestants, so that drift of the machine hits all of them alike.
 */
import { readdir, readFile } from "node:fs/promises";
import { cpus } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import Table from "cli-table3";
import { Command } from "commander";
import { EnvoyProcess } from "../tools/envoy/process.js";
import { runTool, UserError } from "../tools/fail.js";
import { Client } from "./client.js";
import { bootstrap, CONTESTANTS } from "./contestants.js";

const CONNECTIONS = 64;
const BURST_MILLISECONDS = 1000;
const PAUSE_MILLISECONDS = 100;

const program = new Command("npm run bench --")
  .option("--rounds <count>", "bursts for each contestant", "10")
  .option("--json", "print the figures as JSON on stdout, and nothing else")
  .parse();

await runTool(() => main(program.opts<{ rounds: string; json?: boolean }>()));

async function main(options: { rounds: string; json?: boolean }): Promise<void> {
  const rounds = Number(options.rounds);
  if (!Number.isInteger(rounds) || rounds < 1) {
    throw new UserError(`--rounds must be an integer of at least 1, got "${options.rounds}"`);
  }
  if (process.platform !== "linux") throw new UserError("the bench reads /proc and needs Linux");
  const envoy = await EnvoyProcess.start(bootstrap());
  try {
    const worker = await workerThread(envoy.pid);
    const ports = await Promise.all(CONTESTANTS.map(({ name }) => envoy.port(name)));
    const bursts: number[][] = CONTESTANTS.map(() => []);
    for (let round = -1; round < rounds; round++) {
      for (const [index, port] of ports.entries()) {
        const cost = await burst(port, worker);
        // The first round warms everything up.
        if (round >= 0) bursts[index]!.push(cost);
      }
      if (!options.json) process.stderr.write(".");
    }
    print(bursts, options.json ?? false);
  } finally {
    await envoy.stop();
  }
}

/** Microseconds of the worker thread per request. */
async function burst(port: number, worker: string): Promise<number> {
  const client = new Client(port, CONNECTIONS);
  await sleep(PAUSE_MILLISECONDS);
  const [cpu, answers] = [await cpuNanoseconds(worker), client.answers];
  await sleep(BURST_MILLISECONDS);
  const spent = (await cpuNanoseconds(worker)) - cpu;
  const requests = client.answers - answers;
  client.stop();
  await sleep(PAUSE_MILLISECONDS);
  return spent / 1000 / requests;
}

/** The folder of Envoy's one worker thread. */
async function workerThread(pid: number): Promise<string> {
  for (const task of await readdir(`/proc/${pid}/task`)) {
    const folder = `/proc/${pid}/task/${task}`;
    if ((await readFile(`${folder}/comm`, "utf8")).startsWith("wrk:worker_0")) return folder;
  }
  throw new Error("Envoy has no worker thread");
}

/** Time on the CPU according to the scheduler (Linux, Documentation/scheduler/sched-stats). */
async function cpuNanoseconds(thread: string): Promise<number> {
  return Number((await readFile(`${thread}/schedstat`, "utf8")).split(" ")[0]);
}

function print(bursts: number[][], json: boolean): void {
  const figures = CONTESTANTS.map(({ name }, index) => {
    const sorted = bursts[index]!.toSorted((a, b) => a - b);
    return { name, min: sorted[0]!, median: sorted[sorted.length >> 1]! };
  });
  if (json) {
    console.log(
      JSON.stringify({ unit: "microseconds of worker CPU per request", figures }, null, 2),
    );
    return;
  }
  const [none, native] = [figures[0]!, figures[1]!];
  const table = new Table({
    head: ["HTTP/1.1, direct response", "min", "median", "over no filter", "of native"],
    style: { head: [], border: [] },
    colAligns: ["left", "right", "right", "right", "right"],
  });
  for (const { name, min, median } of figures) {
    const over = `+${(min - none.min).toFixed(1)}`;
    table.push([name, min.toFixed(1), median.toFixed(1), over, (min / native.min).toFixed(2)]);
  }
  console.log(`\n${table.toString()}`);
  console.log("Microseconds of worker CPU per request, smallest and median burst.");
  console.log(`${cpus().length} cores, ${cpus()[0]?.model ?? "unknown"}`);
}
