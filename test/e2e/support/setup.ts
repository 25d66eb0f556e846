import { access } from "node:fs/promises";
import { envoyBinary } from "../../../tools/envoy/binary.js";
import { PLUGIN } from "../../../tools/paths.js";
import { installPython } from "../../../tools/python/install.js";

/** Installs what the tests share before any of them starts, so that they do not race for it. */
export async function setup(): Promise<void> {
  await access(PLUGIN).catch(() => {
    throw new Error("build/evenkeel.wasm is missing: npm run build writes it");
  });
  await envoyBinary();
  await envoyBinary("1.36.2");
  await envoyBinary("1.37.0");
  await installPython("http2.txt");
  await installPython("clients.txt");
  // Its packages are compiled and not to be had everywhere; the test says why it is skipped.
  await installPython("http3.txt").catch(() => undefined);
}
