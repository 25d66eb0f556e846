import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { loadCore } from "./core.js";

const core = loadCore();
const MORE = 0;
const NONE = -1;

/** A TLS 1.2 record with the beginning of a ClientHello. */
const TLS = "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";

describe("the first bytes", () => {
  test.each([
    ["of a GET are a request line", "GET / HTTP/1.1\r\nhost: a\r\n\r\n", 16],
    ["of an HTTP/1.0 request are one", "GET / HTTP/1.0\r\n\r\n", 16],
    ["of OPTIONS * are one", "OPTIONS * HTTP/1.1\r\n", 20],
    ["of a proxy request are one", "GET http://a/b?c HTTP/1.1\r\n", 27],
    ["of CONNECT are one", "CONNECT a:443 HTTP/1.1\r\n", 24],
    ["of M-SEARCH are one", "M-SEARCH * HTTP/1.1\r\n", 21],
    ["of a line without its end may become one", "GET / HTTP/1.1", MORE],
    ["of a line without its LF may become one", "GET / HTTP/1.1\r", MORE],
    ["of a lone method may become one", "G", MORE],
    ["of nothing may become one", "", MORE],
    ["of the HTTP/2 preface are none", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", NONE],
    ["of HTTP/1.2 are none", "GET / HTTP/1.2\r\n", NONE],
    ["of HTTP/0.9 are none", "GET /\r\n", NONE],
    ["of a bare LF are none", "\n", NONE],
    ["of a line that ends with a bare LF are none", "GET / HTTP/1.1\n", NONE],
    ["of leading CRLFs are none", "\r\nGET / HTTP/1.1\r\n", NONE],
    ["of a method in lower case are none", "get / HTTP/1.1\r\n", NONE],
    ["of a leading space are none", " GET / HTTP/1.1\r\n", NONE],
    ["of two spaces are none", "GET  / HTTP/1.1\r\n", NONE],
    ["of a space behind the version are none", "GET / HTTP/1.1 \r\n", NONE],
    ["of a target with a control character are none", "GET /\x01 HTTP/1.1\r\n", NONE],
    ["of a target beyond ASCII are none", "GET /\xe9 HTTP/1.1\r\n", NONE],
    ["of a TLS record are none", TLS, NONE],
    ["of a method that is too long are none", "A".repeat(30), NONE],
    ["of garbage are none", "\0\0\0\0", NONE],
    ["of 64 kB without a line end are none", `GET /${"a".repeat(65_536)}`, NONE],
    ["of an unfinished line at the bound are none", `GET /${"a".repeat(8192 - 5)}`, NONE],
    ["of an unfinished line below the bound may become one", `GET /${"a".repeat(8191 - 5)}`, MORE],
  ])("%s", (_sentence, bytes, length) => {
    expect(core.requestLine(bytes)).toBe(length);
  });

  test("of a request line are waited for at every byte, and no longer", () => {
    const line = "DELETE /a?b=c HTTP/1.1\r\n";
    for (let size = 0; size < line.length; size++) {
      expect(core.requestLine(line.slice(0, size))).toBe(MORE);
    }
    expect(core.requestLine(line)).toBe(line.length);
  });

  test("are a request line exactly when the grammar of RFC 9112 says so", () => {
    const part = fc.constantFrom(
      "GET",
      "P",
      " ",
      "/",
      "a",
      "HTTP/1.",
      "1",
      "0",
      "\r",
      "\n",
      "\r\n",
      "\0",
    );
    const line = fc.array(part, { maxLength: 9 }).map((parts) => parts.join(""));
    fc.assert(
      fc.property(fc.oneof(line, fc.constant("GET / HTTP/1.1\r\n")), (bytes) => {
        const match = /^[A-Z_-]+ [!-~]+ HTTP\/1\.[01]\r\n/.exec(bytes);
        const answer = core.requestLine(bytes);
        if (match) expect(answer).toBe(match[0].length);
        else expect(answer).toBeLessThanOrEqual(0);
      }),
      { numRuns: 5000 },
    );
  });
});
