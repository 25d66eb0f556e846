import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** Root folder of the project; samples name their files relative to it. */
export const ROOT = join(dirname(fileURLToPath(import.meta.url)), "..");

/** What the tools install for themselves; git ignores it. */
export const CACHE = join(ROOT, ".cache");

export const PLUGIN = join(ROOT, "build", "evenkeel.wasm");
export const CORE = join(ROOT, "build", "core.wasm");
