/**
 * A strict JSON reader (RFC 8259) that says where and why a text is not JSON. It never traps:
 * nesting is bounded, so recursion is too, and a failure is a value.
 */
import { quoted } from "./text";

/** Levels of arrays and objects inside each other; the configuration itself needs far fewer. */
export const MAX_DEPTH: i32 = 32;

export const enum JsonType {
  Null,
  Boolean,
  Number,
  String,
  Array,
  Object,
}

export class JsonValue {
  constructor(readonly type: JsonType) {}

  /** A number as it was written, or the characters of a string. */
  text: string = "";
  boolean: bool = false;
  number: f64 = 0;
  items: Array<JsonValue> = [];
  /** In the order of the text. */
  members: Map<string, JsonValue> = new Map();
}

const QUOTE: i32 = 0x22;
const COMMA: i32 = 0x2c;
const COLON: i32 = 0x3a;
const BACKSLASH: i32 = 0x5c;
const OPEN_BRACKET: i32 = 0x5b;
const CLOSE_BRACKET: i32 = 0x5d;
const OPEN_BRACE: i32 = 0x7b;
const CLOSE_BRACE: i32 = 0x7d;
const END: i32 = -1;

export class JsonReader {
  /** Why the text was refused; empty while it was not. */
  error: string = "";
  private position: i32 = 0;

  constructor(private readonly source: string) {}

  /** The value of the whole text, or `null` with `error` set. */
  read(): JsonValue | null {
    this.skipSpace();
    const value = this.value(0);
    if (value == null) return null;
    this.skipSpace();
    if (this.peek() != END) return this.fail("expected the end of the text");
    return value;
  }

  private value(depth: i32): JsonValue | null {
    const next = this.peek();
    if (next == OPEN_BRACE) return this.object(depth);
    if (next == OPEN_BRACKET) return this.array(depth);
    if (next == QUOTE) return this.string();
    if (next == 0x2d || isDigit(next)) return this.number();
    if (this.skipWord("true")) return this.bool(true);
    if (this.skipWord("false")) return this.bool(false);
    if (this.skipWord("null")) return new JsonValue(JsonType.Null);
    return this.fail("expected a value");
  }

  private object(depth: i32): JsonValue | null {
    if (depth >= MAX_DEPTH) return this.tooDeep();
    const result = new JsonValue(JsonType.Object);
    this.position++;
    this.skipSpace();
    if (this.skip(CLOSE_BRACE)) return result;
    while (true) {
      if (this.peek() != QUOTE) return this.fail('expected a key in "quotes"');
      const start = this.position;
      const key = this.string();
      if (key == null) return null;
      if (result.members.has(key.text)) {
        this.position = start;
        return this.refuse("duplicate key " + quoted(key.text));
      }
      this.skipSpace();
      if (!this.skip(COLON)) return this.fail('expected ":"');
      this.skipSpace();
      const member = this.value(depth + 1);
      if (member == null) return null;
      result.members.set(key.text, member);
      this.skipSpace();
      if (this.skip(CLOSE_BRACE)) return result;
      if (!this.skip(COMMA)) return this.fail('expected "," or "}"');
      this.skipSpace();
    }
  }

  private array(depth: i32): JsonValue | null {
    if (depth >= MAX_DEPTH) return this.tooDeep();
    const result = new JsonValue(JsonType.Array);
    this.position++;
    this.skipSpace();
    if (this.skip(CLOSE_BRACKET)) return result;
    while (true) {
      const item = this.value(depth + 1);
      if (item == null) return null;
      result.items.push(item);
      this.skipSpace();
      if (this.skip(CLOSE_BRACKET)) return result;
      if (!this.skip(COMMA)) return this.fail('expected "," or "]"');
      this.skipSpace();
    }
  }

  private string(): JsonValue | null {
    this.position++;
    const result = new JsonValue(JsonType.String);
    // Joined once at the end, so that a long text full of escapes stays linear.
    const parts: string[] = [];
    let runStart = this.position;
    while (true) {
      const next = this.peek();
      if (next == END) return this.fail("expected the end of a string");
      if (next < 0x20) return this.fail("expected a control character to be escaped");
      if (next != QUOTE && next != BACKSLASH) {
        this.position++;
        continue;
      }
      parts.push(this.source.substring(runStart, this.position));
      this.position++;
      if (next == QUOTE) {
        result.text = parts.join("");
        return result;
      }
      const unit = this.escape();
      if (unit < 0) return null;
      parts.push(String.fromCharCode(unit));
      runStart = this.position;
    }
  }

  /** The UTF-16 unit that an escape stands for, or -1 with `error` set. */
  private escape(): i32 {
    const kind = this.peek();
    this.position++;
    if (kind == QUOTE || kind == BACKSLASH || kind == 0x2f) return kind;
    if (kind == 0x62) return 0x08;
    if (kind == 0x66) return 0x0c;
    if (kind == 0x6e) return 0x0a;
    if (kind == 0x72) return 0x0d;
    if (kind == 0x74) return 0x09;
    if (kind == 0x75) {
      let unit = 0;
      for (let i = 0; i < 4; i++) {
        const digit = hexDigit(this.peek());
        if (digit < 0) {
          this.fail("expected four hexadecimal digits");
          return -1;
        }
        unit = (unit << 4) | digit;
        this.position++;
      }
      return unit;
    }
    this.position--;
    this.fail("expected an escape that JSON knows");
    return -1;
  }

  private number(): JsonValue | null {
    const start = this.position;
    this.skip(0x2d);
    if (!this.skip(0x30) && !this.skipDigits()) return this.fail("expected a digit");
    if (this.skip(0x2e) && !this.skipDigits()) return this.fail("expected a digit");
    if (this.skip(0x65) || this.skip(0x45)) {
      if (!this.skip(0x2b)) this.skip(0x2d);
      if (!this.skipDigits()) return this.fail("expected a digit");
    }
    const result = new JsonValue(JsonType.Number);
    result.text = this.source.substring(start, this.position);
    result.number = F64.parseFloat(result.text);
    return result;
  }

  private bool(value: bool): JsonValue {
    const result = new JsonValue(JsonType.Boolean);
    result.boolean = value;
    return result;
  }

  private peek(): i32 {
    return this.position < this.source.length ? this.source.charCodeAt(this.position) : END;
  }

  private skip(unit: i32): bool {
    if (this.peek() != unit) return false;
    this.position++;
    return true;
  }

  private skipDigits(): bool {
    const start = this.position;
    while (isDigit(this.peek())) this.position++;
    return this.position > start;
  }

  private skipWord(word: string): bool {
    const end = this.position + word.length;
    if (this.source.substring(this.position, end) != word) return false;
    this.position = end;
    return true;
  }

  private skipSpace(): void {
    while (true) {
      const next = this.peek();
      if (next != 0x20 && next != 0x09 && next != 0x0a && next != 0x0d) return;
      this.position++;
    }
  }

  private tooDeep(): JsonValue | null {
    return this.refuse("more than " + MAX_DEPTH.toString() + " levels of nesting");
  }

  private fail(expected: string): JsonValue | null {
    const next = this.peek();
    const got = next == END ? "the end of the text" : quoted(String.fromCharCode(next));
    this.error = expected + " at " + this.place() + ", got " + got;
    return null;
  }

  private refuse(reason: string): JsonValue | null {
    this.error = reason + " at " + this.place();
    return null;
  }

  private place(): string {
    let line = 1;
    let column = 1;
    for (let i = 0; i < this.position && i < this.source.length; i++) {
      if (this.source.charCodeAt(i) == 0x0a) {
        line++;
        column = 1;
      } else {
        column++;
      }
    }
    return "line " + line.toString() + ", column " + column.toString();
  }
}

function isDigit(unit: i32): bool {
  return unit >= 0x30 && unit <= 0x39;
}

function hexDigit(unit: i32): i32 {
  if (isDigit(unit)) return unit - 0x30;
  const lower = unit | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}
