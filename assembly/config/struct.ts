/**
 * A strict reader of `google.protobuf.Struct` in its wire format. Envoy (1.36.2 to 1.40.0) hands a
 * `StringValue` configuration over as its text, but a `Struct` as its bytes.
 *
 *   Struct     1: repeated entry { 1: key, 2: Value }
 *   Value      1: null | 2: double | 3: string | 4: bool | 5: Struct | 6: ListValue
 *   ListValue  1: repeated Value
 */
import { JsonType, JsonValue, MAX_DEPTH } from "./json";

const VARINT: u32 = 0;
const FIXED64: u32 = 1;
const LENGTH: u32 = 2;

/** The object that the bytes stand for, or `null` if they are not a well-formed Struct. */
export function readStruct(bytes: Uint8Array): JsonValue | null {
  if (bytes.length == 0 || bytes[0] != tag(1, LENGTH)) return null;
  return new StructReader(bytes).struct(bytes.length, 0);
}

function tag(field: u32, wireType: u32): u32 {
  return (field << 3) | wireType;
}

class StructReader {
  private position: i32 = 0;

  constructor(private readonly bytes: Uint8Array) {}

  struct(end: i32, depth: i32): JsonValue | null {
    if (depth >= MAX_DEPTH) return null;
    const result = new JsonValue(JsonType.Object);
    while (this.position < end) {
      const entryEnd = this.block(1, end);
      if (entryEnd < 0) return null;
      const keyEnd = this.block(1, entryEnd);
      if (keyEnd < 0) return null;
      const key = this.text(keyEnd);
      const valueEnd = this.block(2, entryEnd);
      if (valueEnd != entryEnd || result.members.has(key)) return null;
      const value = this.value(valueEnd, depth + 1);
      if (value == null) return null;
      result.members.set(key, value);
    }
    return result;
  }

  private list(end: i32, depth: i32): JsonValue | null {
    if (depth >= MAX_DEPTH) return null;
    const result = new JsonValue(JsonType.Array);
    while (this.position < end) {
      const itemEnd = this.block(1, end);
      if (itemEnd < 0) return null;
      const item = this.value(itemEnd, depth + 1);
      if (item == null) return null;
      result.items.push(item);
    }
    return result;
  }

  private value(end: i32, depth: i32): JsonValue | null {
    if (this.position >= end) return null;
    const head = this.bytes[this.position];
    let result: JsonValue | null = null;
    if (head == tag(2, FIXED64)) result = this.number(end);
    else if (head == tag(1, VARINT) || head == tag(4, VARINT)) result = this.flag(end);
    else if (head == tag(3, LENGTH) || head == tag(5, LENGTH) || head == tag(6, LENGTH)) {
      const blockEnd = this.block(head >>> 3, end);
      if (blockEnd < 0) return null;
      if (head == tag(5, LENGTH)) result = this.struct(blockEnd, depth);
      else if (head == tag(6, LENGTH)) result = this.list(blockEnd, depth);
      else {
        result = new JsonValue(JsonType.String);
        result.text = this.text(blockEnd);
      }
    }
    return this.position == end ? result : null;
  }

  /** Null is an enum with the one value 0; true is 1. */
  private flag(end: i32): JsonValue | null {
    if (end - this.position != 2 || this.bytes[this.position + 1] > 1) return null;
    const isNull = this.bytes[this.position] == tag(1, VARINT);
    const result = new JsonValue(isNull ? JsonType.Null : JsonType.Boolean);
    result.boolean = this.bytes[this.position + 1] == 1;
    this.position += 2;
    return result;
  }

  private number(end: i32): JsonValue | null {
    if (end - this.position != 9) return null;
    let bits: u64 = 0;
    for (let i = 8; i >= 1; i--) bits = (bits << 8) | this.bytes[this.position + i];
    this.position += 9;
    const result = new JsonValue(JsonType.Number);
    result.number = reinterpret<f64>(bits);
    result.text = numberText(result.number);
    return result;
  }

  /** Enters a length-delimited field. Returns where it ends, or -1 if it is not there or too long. */
  private block(field: u32, end: i32): i32 {
    if (this.position >= end || this.bytes[this.position] != tag(field, LENGTH)) return -1;
    this.position++;
    let length: u64 = 0;
    for (let shift: u64 = 0; shift < 35; shift += 7) {
      if (this.position >= end) return -1;
      const byte: u64 = this.bytes[this.position++];
      length |= (byte & 0x7f) << shift;
      if (byte < 0x80)
        return length <= <u64>(end - this.position) ? this.position + <i32>length : -1;
    }
    return -1;
  }

  private text(end: i32): string {
    const start = this.position;
    this.position = end;
    return String.UTF8.decode(this.bytes.buffer.slice(start, end));
  }
}

/** As a person would have written it: without a fraction where there is none. */
function numberText(value: f64): string {
  const isSafeInteger = Math.trunc(value) == value && Math.abs(value) < 9007199254740992;
  return isSafeInteger ? (<i64>value).toString() : value.toString();
}
