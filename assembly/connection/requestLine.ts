/**
 * Recognises the request line of an HTTP/1.x message (RFC 9112, section 3), strictly: whatever is
 * not one beyond doubt is no business of ours. A bare LF, leading empty lines, a TLS record and the
 * HTTP/2 preface are not.
 *
 *   request-line = method SP request-target SP "HTTP/1." ( "0" / "1" ) CRLF
 */

/** Bytes up to which an unfinished line is waited for. Envoy's own limit for a head is 60 KiB. */
export const MAX_REQUEST_LINE: i32 = 8192;

/** Answer of `requestLineLength`: more bytes will tell. */
export const INCOMPLETE: i32 = 0;

/** Answer of `requestLineLength`: these bytes do not begin with a request line. */
export const NO_REQUEST_LINE: i32 = -1;

const CR: u8 = 0x0d;
const LF: u8 = 0x0a;
const SP: u8 = 0x20;

/** "HTTP/1." */
const VERSION: StaticArray<u8> = [0x48, 0x54, 0x54, 0x50, 0x2f, 0x31, 0x2e];

/** Longest method registered with IANA, "UPDATEREDIRECTREF", and some room. */
const MAX_METHOD: i32 = 24;

/**
 * Length of the request line that the bytes begin with, its CRLF included, or one of the answers
 * above.
 */
export function requestLineLength(bytes: StaticArray<u8>, size: i32): i32 {
  const methodEnd = endOf(bytes, size, 0, MAX_METHOD, true);
  if (methodEnd <= 0) return methodEnd;
  const targetEnd = endOf(bytes, size, methodEnd + 1, MAX_REQUEST_LINE, false);
  if (targetEnd <= 0) return targetEnd;
  return versionEnd(bytes, size, targetEnd + 1);
}

/** Position of the SP that ends a word; the word must not be empty. */
function endOf(bytes: StaticArray<u8>, size: i32, start: i32, most: i32, isMethod: bool): i32 {
  for (let i = start; i < size; i++) {
    const byte = bytes[i];
    if (byte == SP) return i > start ? i : NO_REQUEST_LINE;
    if (isMethod ? !isTokenByte(byte) : !isVisible(byte)) return NO_REQUEST_LINE;
    if (i - start >= most) return NO_REQUEST_LINE;
  }
  return size < MAX_REQUEST_LINE ? INCOMPLETE : NO_REQUEST_LINE;
}

function versionEnd(bytes: StaticArray<u8>, size: i32, start: i32): i32 {
  const length = VERSION.length + 3;
  for (let i = 0; i < length; i++) {
    if (start + i >= size) return size < MAX_REQUEST_LINE ? INCOMPLETE : NO_REQUEST_LINE;
    if (!isVersionByte(bytes[start + i], i)) return NO_REQUEST_LINE;
  }
  return start + length;
}

function isVersionByte(byte: u8, index: i32): bool {
  if (index < VERSION.length) return byte == VERSION[index];
  if (index == VERSION.length) return byte == 0x30 || byte == 0x31;
  return byte == (index == VERSION.length + 1 ? CR : LF);
}

/** RFC 9110, section 5.6.2, without the letters in lower case, which no method has. */
function isTokenByte(byte: u8): bool {
  return (byte >= 0x41 && byte <= 0x5a) || byte == 0x2d || byte == 0x5f;
}

function isVisible(byte: u8): bool {
  return byte > SP && byte < 0x7f;
}
