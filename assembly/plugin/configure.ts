import { LogLevel } from "../abi/enums";
import { log, pluginConfiguration, setTickPeriod } from "../abi/host";
import { Config, parseConfig } from "../config/config";
import { MAX_CONFIG_BYTES, tooLarge, unreadable } from "../config/errors";
import { Key } from "../config/keys";
import { Limits } from "../policy/limits";
import { VERSION } from "../version";
import { Announcement } from "./announce";
import { prepareWarnings } from "./warnings";
import { Worker } from "./worker";

/** How long a count may be old when Envoy shows it. */
const TICK_MILLISECONDS: u32 = 1000;

/**
 * Workers load a configuration within moments of each other; when it comes back later than this, it
 * was rolled back to, and says so.
 */
const STARTED_AGAIN_NANOSECONDS: u64 = 60_000_000_000;

/**
 * Gives a root context its configuration.
 * @param size of the configuration in bytes, 0 for none
 * @returns whether it was accepted; if not, one line in the log says why
 */
export function configure(worker: Worker, rootId: u32, size: u32): bool {
  if (size > MAX_CONFIG_BYTES) return refuse(tooLarge(size));
  const bytes = size == 0 ? new ArrayBuffer(0) : pluginConfiguration(size);
  if (bytes == null) return refuse(unreadable());
  const parsed = parseConfig(bytes);
  const config = parsed.config;
  if (config == null) return refuse(parsed.error);
  apply(worker, rootId, config);
  prepareWarnings();
  const text = "evenkeel " + VERSION + " started: " + config.toJson();
  const started = new Announcement(LogLevel.Info, text);
  started.prepare();
  started.log(STARTED_AGAIN_NANOSECONDS);
  return true;
}

function apply(worker: Worker, rootId: u32, config: Config): void {
  let root = worker.roots.find(rootId);
  if (root == null) root = worker.roots.add(rootId, worker.clock.seconds);
  root.limits = new Limits(config);
  root.trackedBound = config.integer(Key.MaxTrackedConnections);
  worker.resize();
  worker.metrics.define();
  setTickPeriod(TICK_MILLISECONDS);
}

function refuse(error: string): bool {
  log(LogLevel.Error, "evenkeel: " + error);
  return false;
}
