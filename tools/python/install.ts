import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readFile, rename, rm } from "node:fs/promises";
import { basename, join } from "node:path";
import { execa } from "execa";
import { UserError } from "../fail.js";
import { CACHE, ROOT } from "../paths.js";

/**
 * Installs the Python packages of a requirements file into the cache, once, and returns the folder.
 * Every package is pinned with its checksum, and pip refuses what does not match.
 */
export async function installPython(requirements: string): Promise<string> {
  const file = join(ROOT, "tools", "python", requirements);
  const digest = createHash("sha256")
    .update(await readFile(file))
    .digest("hex")
    .slice(0, 12);
  const folder = join(CACHE, `${basename(requirements, ".txt")}-${digest}`);
  if (existsSync(folder)) return folder;

  console.error(`evenkeel: installing ${requirements} from PyPI ...`);
  await mkdir(CACHE, { recursive: true });
  const unfinished = `${folder}.${process.pid}`;
  const pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"];
  const checks = ["--only-binary", ":all:", "--require-hashes", "--requirement", file];
  try {
    await execa("python3", [...pip, ...checks, "--target", unfinished], {
      stdin: "ignore",
      stdout: process.stderr,
      stderr: process.stderr,
    });
    await rename(unfinished, folder);
  } catch (error) {
    await rm(unfinished, { recursive: true, force: true });
    // Another process may have been faster.
    if (existsSync(folder)) return folder;
    throw new UserError(`python3 -m pip could not install ${requirements}: ${reason(error)}`);
  }
  return folder;
}

function reason(error: unknown): string {
  return error instanceof Error ? error.message.split("\n")[0]! : String(error);
}
