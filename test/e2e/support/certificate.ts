import { existsSync, readFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { ROOT } from "../../../tools/paths.js";

/** The certificate that envoy/tls.yaml names, made with the command that it shows; returns its path. */
export async function makeCertificate(): Promise<string> {
  const certificate = join(ROOT, "build/tls/cert.pem");
  if (existsSync(certificate)) return certificate;
  await mkdir(join(ROOT, "build/tls"), { recursive: true });
  const text = readFileSync(join(ROOT, "envoy/tls.yaml"), "utf8");
  const command = /^# +(openssl .*)$/m.exec(text)![1]!;
  await execa(command, { cwd: ROOT, shell: true });
  return certificate;
}
