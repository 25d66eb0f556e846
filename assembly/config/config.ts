/** JSON text or a protobuf Struct -> `Config`, or the one line that says why not. */
import {
  badValue,
  describe,
  MAX_CONFIG_BYTES,
  notAnObject,
  notJson,
  tooLarge,
  unknownKey,
} from "./errors";
import { JsonReader, JsonType, JsonValue } from "./json";
import { Key, KEYS, keyIndex, KeyRow, KeyType } from "./keys";
import { readStruct } from "./struct";

export class Config {
  private readonly values: StaticArray<i32> = new StaticArray<i32>(KEYS.length);

  /** All defaults. */
  constructor() {
    for (let i = 0; i < KEYS.length; i++) this.values[i] = KEYS[i].defaultValue;
  }

  integer(key: Key): i32 {
    return this.values[key];
  }

  boolean(key: Key): bool {
    return this.values[key] != 0;
  }

  set(key: i32, value: i32): void {
    this.values[key] = value;
  }

  /** The effective configuration as one line of JSON. */
  toJson(): string {
    const members: string[] = [];
    for (let i = 0; i < KEYS.length; i++) {
      members.push('"' + KEYS[i].name + '":' + KEYS[i].show(this.values[i]));
    }
    return "{" + members.join(",") + "}";
  }
}

/** What parsing gave: `config`, or `error` and no configuration. */
export class ParseResult {
  constructor(
    readonly config: Config | null,
    readonly error: string,
  ) {}
}

/** @param bytes the plugin's configuration as the host holds it; empty when there is none */
export function parseConfig(bytes: ArrayBuffer): ParseResult {
  if (bytes.byteLength == 0) return new ParseResult(new Config(), "");
  if (<u32>bytes.byteLength > MAX_CONFIG_BYTES) return refused(tooLarge(bytes.byteLength));
  const struct = readStruct(Uint8Array.wrap(bytes));
  if (struct != null) return fromObject(struct);
  return fromText(String.UTF8.decode(bytes));
}

function fromText(text: string): ParseResult {
  if (text.trim().length == 0) return refused(notAnObject("blank text"));
  const reader = new JsonReader(text);
  const root = reader.read();
  if (root == null) return refused(notJson(reader.error));
  if (root.type != JsonType.Object) return refused(notAnObject(describe(root)));
  return fromObject(root);
}

function fromObject(root: JsonValue): ParseResult {
  const config = new Config();
  const names = root.members.keys();
  for (let i = 0; i < names.length; i++) {
    const name = names[i];
    const index = keyIndex(name);
    if (index < 0) return refused(unknownKey(name));
    const row = KEYS[index];
    const value = root.members.get(name);
    const number = read(row, value);
    if (number == REFUSED) return refused(badValue(name, row.allowed, value));
    config.set(index, number);
  }
  return new ParseResult(config, "");
}

/** A number that no key takes. */
const REFUSED: i32 = i32.MIN_VALUE;

/** The value of a key as a number, or `REFUSED`. */
function read(row: KeyRow, value: JsonValue): i32 {
  if (row.type == KeyType.Boolean) {
    return value.type == JsonType.Boolean ? i32(value.boolean) : REFUSED;
  }
  if (row.type == KeyType.Choice) {
    const index = value.type == JsonType.String ? row.choices.indexOf(value.text) : -1;
    return index >= 0 ? index : REFUSED;
  }
  if (value.type != JsonType.Number || !row.accepts(value.number)) return REFUSED;
  return i32(value.number);
}

function refused(error: string): ParseResult {
  return new ParseResult(null, error);
}
