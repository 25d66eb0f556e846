/** `npm start`: the problem and the cure, with real parts, in half a minute. */
import { Command } from "commander";
import pc from "picocolors";
import { envoyBinary } from "../tools/envoy/binary.js";
import { runTool } from "../tools/fail.js";
import { CLIENTS, CONNECTIONS_PER_CLIENT, RATE } from "./clients.js";
import { type PhaseResult, runPhase } from "./phase.js";
import { progress, report } from "./report.js";
import { PODS } from "./service.js";

/** Low, so that a few seconds show what takes minutes with the default of 100. */
const LIMIT = 25;

interface Options {
  json?: boolean;
  http2?: boolean;
}

const program = new Command("npm start --")
  .description("Shows how load spreads over three Pods, first without and then with evenkeel.")
  .option("--http2", "clients speak HTTP/2 instead of HTTP/1.1")
  .option("--json", "print the figures as JSON on stdout, and nothing else")
  .parse();

await runTool(() => main(program.opts<Options>()));

async function main({ json = false, http2 = false }: Options): Promise<void> {
  const stop = new AbortController();
  const interrupt = () => {
    stop.abort();
  };
  process.once("SIGINT", interrupt).once("SIGTERM", interrupt);

  await envoyBinary();
  const protocol = http2 ? "HTTP/2" : "HTTP/1.1";
  if (!json) console.log(introduction(protocol));
  const phases: PhaseResult[] = [];
  try {
    for (const limit of [null, LIMIT]) {
      const title = limit === null ? "without evenkeel" : "with evenkeel   ";
      const { signal } = stop;
      phases.push(await runPhase({ limit, http2, signal, onProgress: show(title, json) }));
      if (!json && process.stdout.isTTY) process.stdout.write("\n");
    }
  } catch (error) {
    if (!stop.signal.aborted) throw error;
    console.error("\nevenkeel: interrupted, everything is stopped");
    process.exitCode = 130;
    return;
  }

  const failed = phases.reduce((sum, phase) => sum + phase.failed, 0);
  if (json) console.log(JSON.stringify({ protocol, pods: PODS, limit: LIMIT, phases }, null, 2));
  else console.log(`${report(phases)}\n\n${conclusion(failed)}`);
  if (failed > 0) process.exitCode = 1;
}

function introduction(protocol: string): string {
  return [
    pc.bold("One service, first one Pod, then three; a balancer that picks a Pod per connection."),
    `${CLIENTS} clients keep ${CONNECTIONS_PER_CLIENT} ${protocol} connections each and send ${RATE} requests a second each.`,
    `With evenkeel, Envoy ends each connection gracefully after about ${LIMIT} requests.`,
    "",
  ].join("\n");
}

function conclusion(failed: number): string {
  return failed === 0
    ? "No request failed. Next: envoy/envoy.yaml is the sample to copy, README.md explains it."
    : pc.red(`${failed} requests failed; none should.`);
}

/** Progress for a person: one line that moves on a terminal, one line a second elsewhere. */
function show(title: string, quiet: boolean) {
  let shown = 0;
  return (seconds: number, pods: number[], scaled: boolean): void => {
    if (quiet) return;
    const line = progress(title, seconds, pods, scaled);
    if (process.stdout.isTTY) process.stdout.write(`\r\x1b[2K${line}`);
    else if (Math.floor(seconds) > shown) console.log(line);
    shown = Math.floor(seconds);
  };
}
