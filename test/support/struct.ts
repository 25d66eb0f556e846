/** Encodes an object as google.protobuf.Struct in its wire format. */
export function encodeStruct(object: Record<string, unknown>): Uint8Array {
  const entries = Object.entries(object).map(([key, value]) =>
    block(1, concat(block(1, utf8(key)), block(2, encodeValue(value)))),
  );
  return concat(...entries);
}

/** A Struct of so many objects, or lists, inside each other; made from the inside out. */
export function nestedStruct(levels: number, kind: "object" | "list"): Uint8Array {
  let value = encodeValue(1);
  const entry = (content: Uint8Array) => block(1, concat(block(1, utf8("a")), block(2, content)));
  for (let level = 0; level < levels; level++) {
    value = kind === "object" ? block(5, entry(value)) : block(6, block(1, value));
  }
  return entry(value);
}

function encodeValue(value: unknown): Uint8Array {
  if (value === null) return Uint8Array.of(0x08, 0);
  if (typeof value === "number") {
    const bytes = new Uint8Array(9);
    bytes[0] = 0x11;
    new DataView(bytes.buffer).setFloat64(1, value, true);
    return bytes;
  }
  if (typeof value === "string") return block(3, utf8(value));
  if (typeof value === "boolean") return Uint8Array.of(0x20, value ? 1 : 0);
  if (Array.isArray(value)) {
    return block(6, concat(...value.map((item) => block(1, encodeValue(item)))));
  }
  return block(5, encodeStruct(value as Record<string, unknown>));
}

/** A length-delimited field. */
function block(field: number, content: Uint8Array): Uint8Array {
  const length: number[] = [];
  let rest = content.length;
  for (; rest >= 0x80; rest >>>= 7) length.push((rest & 0x7f) | 0x80);
  length.push(rest);
  return concat(Uint8Array.of((field << 3) | 2, ...length), content);
}

function utf8(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function concat(...parts: Uint8Array[]): Uint8Array {
  return Buffer.concat(parts);
}
