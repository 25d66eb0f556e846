import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { ROOT } from "../paths.js";
import { envoyBinary, type OldVersion } from "./binary.js";

/** Ends Envoy when this process ends without stopping it. */
const WATCHED = join(ROOT, "tools", "envoy", "watched.py");

const ADMIN_TIMEOUT_MILLISECONDS = 5000;
const START_TIMEOUT_MILLISECONDS = 30_000;

/** A bootstrap configuration: the text of a YAML file, or its content. */
export type Bootstrap = string | Record<string, unknown>;

export interface EnvoyOptions {
  /** Worker threads; 1 unless a test is about several. */
  concurrency?: number;
  /** An older Envoy than the pinned one. */
  version?: OldVersion;
  /** Envoy's `--log-level`. */
  logLevel?: string;
}

/** A running Envoy with a configuration of ours, an admin endpoint and a log that can be read. */
export class EnvoyProcess {
  private output = "";

  private constructor(
    private readonly child: ChildProcess,
    /** A folder of this process's own, gone when it has stopped. */
    readonly folder: string,
  ) {
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding("utf8").on("data", (text: string) => (this.output += text));
    }
  }

  /** `host:port` of the admin endpoint. */
  admin = "";

  /**
   * Starts Envoy and waits until it serves.
   * @param bootstrap may depend on the folder of the process, for files that Envoy watches
   */
  static async start(
    bootstrap: Bootstrap | ((folder: string) => Promise<Bootstrap>),
    options: EnvoyOptions = {},
  ): Promise<EnvoyProcess> {
    const binary = await envoyBinary(options.version);
    const folder = await mkdtemp(join(tmpdir(), "evenkeel-envoy-"));
    const content = typeof bootstrap === "function" ? await bootstrap(folder) : bootstrap;
    const isText = typeof content === "string";
    const file = join(folder, isText ? "envoy.yaml" : "envoy.json");
    await writeFile(file, isText ? content : JSON.stringify(content));
    const adminFile = join(folder, "admin");
    const child = spawn(
      "python3",
      [
        ...[WATCHED, binary],
        ...["--config-path", file, "--admin-address-path", adminFile, "--disable-hot-restart"],
        ...["--concurrency", String(options.concurrency ?? 1)],
        ...["--log-level", options.logLevel ?? "info"],
      ],
      // The samples name the module relative to the project's root.
      { cwd: ROOT, stdio: ["pipe", "pipe", "pipe"] },
    );
    child.once("exit", () => child.stdin.destroy());
    const envoy = new EnvoyProcess(child, folder);
    try {
      await envoy.ready(adminFile);
    } catch (error) {
      await envoy.stop();
      throw error;
    }
    return envoy;
  }

  /** Everything that Envoy has written so far: its log, and access logs to stdout. */
  get log(): string {
    return this.output;
  }

  get pid(): number {
    return this.child.pid!;
  }

  get running(): boolean {
    return this.child.exitCode === null && this.child.signalCode === null;
  }

  /** An answer of the admin endpoint. */
  async get(path: string): Promise<string> {
    // An Envoy that is on its way down may accept the connection and never answer.
    const signal = AbortSignal.timeout(ADMIN_TIMEOUT_MILLISECONDS);
    const response = await fetch(`http://${this.admin}${path}`, { signal });
    if (!response.ok) throw new Error(`Envoy answered ${response.status} to ${path}`);
    return await response.text();
  }

  /** All counters and gauges by name. */
  async stats(): Promise<Record<string, number>> {
    const lines = (await this.get("/stats?type=Counters")) + (await this.get("/stats?type=Gauges"));
    const entries = lines.split("\n").map((line) => line.split(": "));
    return Object.fromEntries(
      entries
        .filter((entry) => entry.length === 2)
        .map(([name, value]): [string, number] => [name!, Number(value)]),
    );
  }

  /** Port on which a listener listens, also one that asked for any free port. */
  async port(listener: string): Promise<number> {
    const answer = JSON.parse(await this.get("/listeners?format=json")) as {
      listener_statuses: {
        name: string;
        local_address: { socket_address: { port_value: number } };
      }[];
    };
    const status = answer.listener_statuses.find(({ name }) => name === listener);
    if (!status) throw new Error(`Envoy has no listener "${listener}"`);
    return status.local_address.socket_address.port_value;
  }

  /** Ends Envoy and returns its exit code, 0 if all was well. */
  async stop(): Promise<number | null> {
    if (this.running) {
      const exited = once(this.child, "exit");
      this.child.kill("SIGTERM");
      const killer = setTimeout(() => this.child.kill("SIGKILL"), 10_000);
      await exited;
      clearTimeout(killer);
    }
    await rm(this.folder, { recursive: true, force: true });
    return this.child.exitCode;
  }

  private async ready(adminFile: string): Promise<void> {
    const deadline = Date.now() + START_TIMEOUT_MILLISECONDS;
    while (this.running && Date.now() < deadline) {
      if (!this.admin) this.admin = await readFile(adminFile, "utf8").catch(() => "");
      // The listeners are there only once the server is live.
      if (this.admin && (await this.isLive())) return;
      await sleep(20);
    }
    const state = this.running ? "is not ready" : `exited with ${this.child.exitCode}`;
    throw new Error(`Envoy ${state}:\n${this.output.slice(-4000)}`);
  }

  private async isLive(): Promise<boolean> {
    try {
      return (await this.get("/ready")).startsWith("LIVE");
    } catch {
      return false;
    }
  }
}
