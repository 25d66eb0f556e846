/** Checks what the build promises of its modules, and fails the build where it does not hold. */
import { readFile } from "node:fs/promises";
import { runTool, UserError } from "./fail.js";
import { CORE, PLUGIN } from "./paths.js";

/** Bytes; larger modules start slower in every worker. */
const MAX_PLUGIN_SIZE = 40 * 1024;

/** Each callback that a module exports is one that the host calls: per request, or per body chunk. */
const PLUGIN_EXPORTS = [
  "_initialize",
  "malloc",
  "memory",
  "proxy_abi_version_0_2_1",
  "proxy_on_configure",
  "proxy_on_context_create",
  "proxy_on_downstream_connection_close",
  "proxy_on_downstream_data",
  "proxy_on_new_connection",
  "proxy_on_request_body",
  "proxy_on_request_headers",
  "proxy_on_request_trailers",
  "proxy_on_tick",
];

await runTool(async () => {
  const coreImports = names(WebAssembly.Module.imports(await compile(CORE)));
  expect(coreImports.length === 0, `the pure core must import nothing, got ${list(coreImports)}`);

  const plugin = await compile(PLUGIN);
  const foreign = WebAssembly.Module.imports(plugin).filter(
    ({ module, name }) => module !== "env" || !name.startsWith("proxy_"),
  );
  expect(
    foreign.length === 0,
    `the plugin must import proxy-wasm calls only, got ${list(names(foreign))}`,
  );
  const exported = names(WebAssembly.Module.exports(plugin));
  expect(
    exported.join() === PLUGIN_EXPORTS.join(),
    `the plugin must export ${list(PLUGIN_EXPORTS)}, got ${list(exported)}`,
  );
  const { length } = await readFile(PLUGIN);
  expect(
    length <= MAX_PLUGIN_SIZE,
    `the plugin must be at most ${MAX_PLUGIN_SIZE} bytes, got ${length}`,
  );
  console.error(`evenkeel: build/evenkeel.wasm, ${length} bytes`);
});

async function compile(path: string): Promise<WebAssembly.Module> {
  return await WebAssembly.compile(await readFile(path));
}

function names(entries: { name: string }[]): string[] {
  return entries.map(({ name }) => name).sort();
}

function list(items: string[]): string {
  return items.join(", ");
}

function expect(holds: boolean, message: string): void {
  if (!holds) throw new UserError(message);
}
