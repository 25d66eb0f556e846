import { LogLevel } from "./enums";
import { log } from "./host";

/**
 * Where a failed assertion or bounds check of the language ends. It must never be reached: a trap
 * takes the VM of the worker with it. The line tells where to look if it is.
 */
export function abort(message: string | null, file: string | null, line: u32, column: u32): void {
  const place = (file ? file : "?") + ":" + line.toString() + ":" + column.toString();
  log(LogLevel.Critical, "evenkeel: aborted at " + place + ": " + (message ? message : ""));
  unreachable();
}
