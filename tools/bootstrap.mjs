/**
 * Installs the npm packages of the lock file, unless they are there already. It runs before anything
 * is installed, so it is plain JavaScript without dependencies. Output goes to stderr: stdout belongs
 * to the command that follows.
 */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const stamp = join(root, "node_modules", ".evenkeel-lock");
const wanted = createHash("sha256")
  .update(readFileSync(join(root, "package-lock.json")))
  .update(process.version)
  .digest("hex");

const [major, minor] = process.versions.node.split(".").map(Number);
if (major < 20 || (major === 20 && minor < 19)) {
  console.error(`evenkeel: Node.js must be 20.19 or later, this is ${process.versions.node}`);
  process.exit(1);
}

if (installed() !== wanted) {
  console.error("evenkeel: installing npm packages from package-lock.json ...");
  const npm = process.env.npm_execpath;
  const command = npm ? [process.execPath, npm] : ["npm"];
  const result = spawnSync(command[0], [...command.slice(1), "ci", "--no-audit", "--no-fund"], {
    cwd: root,
    stdio: ["ignore", 2, 2],
  });
  if (result.status !== 0) process.exit(result.status ?? 1);
  writeFileSync(stamp, wanted);
}

function installed() {
  try {
    return readFileSync(stamp, "utf8");
  } catch {
    return "";
  }
}
