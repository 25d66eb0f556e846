/** Every text with which a configuration is refused: path, what is allowed, value. */
import { JsonType, JsonValue } from "./json";
import { keyNames } from "./keys";
import { printable, quoted } from "./text";

/** Far above any sensible configuration, far below what could hurt a worker. */
export const MAX_CONFIG_BYTES: u32 = 4 * 1024 * 1024;

const PREFIX = "invalid config: ";

export function notAnObject(value: string): string {
  return PREFIX + "the configuration must be a JSON object, got " + value;
}

export function notJson(reason: string): string {
  return PREFIX + "the configuration must be valid JSON: " + reason;
}

export function tooLarge(bytes: u32): string {
  const allowed = "at most " + MAX_CONFIG_BYTES.toString() + " bytes";
  return PREFIX + "the configuration must be " + allowed + ", got " + bytes.toString();
}

export function unreadable(): string {
  return PREFIX + "the configuration could not be read from the host";
}

export function unknownKey(name: string): string {
  return PREFIX + "unknown key " + quoted(name) + ", allowed are " + keyNames();
}

export function badValue(path: string, allowed: string, value: JsonValue): string {
  return PREFIX + path + " must be " + allowed + ", got " + describe(value);
}

/** A JSON value as an error message shows it: scalars as written, the others by their type. */
export function describe(value: JsonValue): string {
  if (value.type == JsonType.Null) return "null";
  if (value.type == JsonType.Boolean) return value.boolean ? "true" : "false";
  if (value.type == JsonType.Number) return printable(value.text);
  if (value.type == JsonType.String) return quoted(value.text);
  return value.type == JsonType.Array ? "an array" : "an object";
}
