import { join } from "node:path";
import { execa } from "execa";
import { ROOT } from "../../../tools/paths.js";
import { installPython } from "../../../tools/python/install.js";

export type Step =
  | ["request", count: number, path: string]
  | ["ended", count: number]
  | ["goaways", count: number]
  | ["headers", stream: number]
  | ["reset", stream: number]
  | ["pause", seconds: number]
  | ["quiet", seconds: number]
  | ["closed"];

export interface Http2Transcript {
  /** What of RFC 9113 the server broke, or `null`. */
  violation: string | null;
  frames: { type: string; stream: number; last?: number; error?: number }[];
  /** Last stream id of each GOAWAY. */
  goaways: number[];
  streams: Record<string, { status: number | null; size: number; ended: boolean }>;
  connection: "open" | "ended" | "reset";
}

/** Lets the strict frame-level client follow a script on a connection of its own. */
export async function playHttp2(port: number, script: Step[]): Promise<Http2Transcript> {
  const client = join(ROOT, "test/e2e/clients/http2_frames.py");
  const { stdout } = await execa("python3", [client, String(port), JSON.stringify(script)], {
    env: { PYTHONPATH: await installPython("http2.txt"), PYTHONDONTWRITEBYTECODE: "1" },
  });
  return JSON.parse(stdout) as Http2Transcript;
}
