/** Characters of a foreign text that a message repeats; a log line stays a line. */
const MAX_QUOTED: i32 = 40;

/** A foreign text as a message may show it: quoted, one line, printable ASCII, not too long. */
export function quoted(text: string): string {
  return '"' + printable(text) + '"';
}

/** As `quoted`, without the quotes. */
export function printable(text: string): string {
  const length = min(text.length, MAX_QUOTED);
  let result = "";
  for (let i = 0; i < length; i++) {
    const unit = text.charCodeAt(i);
    if (unit == 0x22 || unit == 0x5c) result += "\\" + String.fromCharCode(unit);
    else if (unit >= 0x20 && unit < 0x7f) result += String.fromCharCode(unit);
    else result += "\\u" + hex4(unit);
  }
  return length < text.length ? result + "..." : result;
}

function hex4(unit: i32): string {
  return unit.toString(16).padStart(4, "0");
}
