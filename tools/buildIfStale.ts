/** Builds the plugin unless it is newer than everything that it is built from. */
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { runTool, UserError } from "./fail.js";
import { PLUGIN, ROOT } from "./paths.js";

await runTool(async () => {
  if ((await modified(PLUGIN)) > (await newestSource())) return;
  console.error("evenkeel: building build/evenkeel.wasm ...");
  const { exitCode } = await execa("npm", ["run", "--silent", "build:release"], {
    cwd: ROOT,
    stdin: "ignore",
    stdout: process.stderr,
    stderr: process.stderr,
    reject: false,
  });
  if (exitCode !== 0) throw new UserError("the plugin could not be built, see above");
});

async function newestSource(): Promise<number> {
  const folder = join(ROOT, "assembly");
  const sources = (await readdir(folder, { recursive: true })).map((name) => join(folder, name));
  sources.push(join(ROOT, "asconfig.json"), join(ROOT, "package-lock.json"));
  return Math.max(...(await Promise.all(sources.map(modified))));
}

/** Milliseconds since 1970; 0 for a file that does not exist. */
async function modified(path: string): Promise<number> {
  return await stat(path).then(
    ({ mtimeMs }) => mtimeMs,
    () => 0,
  );
}
