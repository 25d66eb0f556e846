import fc from "fast-check";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { ROOT } from "../../tools/paths.js";
import { loadCore } from "./core.js";
import { encodeStruct, nestedStruct } from "../support/struct.js";

const core = loadCore();

const DEFAULTS = {
  max_requests_per_connection: 100,
  max_streams_per_connection: 1000,
  jitter_percent: 10,
  shadow_mode: false,
  max_tracked_connections: 65536,
  drain: "auto",
};

const KEYS = Object.keys(DEFAULTS).join(", ");
const LIMIT = "-1 (never) or an integer from 1 to 2147483647";

describe("an accepted configuration", () => {
  test.each([
    ["nothing at all means the defaults", "", {}],
    ["an empty object means the defaults", "{}", {}],
    [
      "1 is the lowest limit",
      '{"max_requests_per_connection":1}',
      { max_requests_per_connection: 1 },
    ],
    ["-1 is no limit", '{"max_streams_per_connection":-1}', { max_streams_per_connection: -1 }],
    [
      "every key at once, with any white space",
      '\n{ "max_requests_per_connection" : 3,\r\n\t"max_streams_per_connection":4, "jitter_percent":0, "shadow_mode":true, "max_tracked_connections":5 } ',
      {
        max_requests_per_connection: 3,
        max_streams_per_connection: 4,
        jitter_percent: 0,
        shadow_mode: true,
        max_tracked_connections: 5,
      },
    ],
    [
      "an integer may be written as Envoy's YAML to JSON conversion writes it",
      '{"max_requests_per_connection":1e+06,"max_streams_per_connection":3.0}',
      { max_requests_per_connection: 1_000_000, max_streams_per_connection: 3 },
    ],
    ["drain is one of three words", '{"drain":"network"}', { drain: "network" }],
    ["a key may be written with escapes", '{"\\u006aitter_percent":7}', { jitter_percent: 7 }],
  ])("%s", (_sentence, text, changes) => {
    expect(JSON.parse(core.parse(text))).toEqual({ ...DEFAULTS, ...changes });
  });

  test("may be a Struct in its wire format, as Envoy hands it over", () => {
    const config = { max_requests_per_connection: 3, shadow_mode: true, jitter_percent: 0 };
    expect(JSON.parse(core.parse(encodeStruct(config)))).toEqual({ ...DEFAULTS, ...config });
  });
});

describe("a refused configuration says path, what is allowed and value", () => {
  const object = "the configuration must be a JSON object, got";
  const json = "the configuration must be valid JSON:";
  const deep = 1_000_000;
  test.each(
    [
      ['{"max_requests_per_connection": 0}', `max_requests_per_connection must be ${LIMIT}, got 0`],
      [
        '{"max_requests_per_connection": -2}',
        `max_requests_per_connection must be ${LIMIT}, got -2`,
      ],
      [
        '{"max_requests_per_connection": 1.5}',
        `max_requests_per_connection must be ${LIMIT}, got 1.5`,
      ],
      [
        '{"max_requests_per_connection": "100"}',
        `max_requests_per_connection must be ${LIMIT}, got "100"`,
      ],
      [
        '{"max_requests_per_connection": 2147483648}',
        `max_requests_per_connection must be ${LIMIT}, got 2147483648`,
      ],
      [
        '{"max_requests_per_connection": 1e999}',
        `max_requests_per_connection must be ${LIMIT}, got 1e999`,
      ],
      [
        '{"max_streams_per_connection": null}',
        `max_streams_per_connection must be ${LIMIT}, got null`,
      ],
      [
        '{"max_streams_per_connection": [1]}',
        `max_streams_per_connection must be ${LIMIT}, got an array`,
      ],
      ['{"jitter_percent": -1}', "jitter_percent must be an integer from 0 to 100, got -1"],
      ['{"jitter_percent": 101}', "jitter_percent must be an integer from 0 to 100, got 101"],
      ['{"jitter_percent": {}}', "jitter_percent must be an integer from 0 to 100, got an object"],
      ['{"shadow_mode": 1}', "shadow_mode must be true or false, got 1"],
      ['{"shadow_mode": "true"}', 'shadow_mode must be true or false, got "true"'],
      [
        '{"max_tracked_connections": 0}',
        "max_tracked_connections must be an integer from 1 to 1048576, got 0",
      ],
      ['{"drain": "Lua"}', 'drain must be one of "auto", "lua", "network", got "Lua"'],
      ['{"drain": 0}', 'drain must be one of "auto", "lua", "network", got 0'],
      ['{"max_request": 5}', `unknown key "max_request", allowed are ${KEYS}`],
      ['{"": 5}', `unknown key "", allowed are ${KEYS}`],
      ['{"a\\nb\\u001b\\"é": 5}', `unknown key "a\\u000ab\\u001b\\"\\u00e9", allowed are ${KEYS}`],
      [`{"${"k".repeat(1000)}": 5}`, `unknown key "${"k".repeat(40)}...", allowed are ${KEYS}`],
      ["[]", `${object} an array`],
      ["null", `${object} null`],
      ["3", `${object} 3`],
      ['"{}"', `${object} "{}"`],
      ["  \n\t ", `${object} blank text`],
      [
        '{"max_requests_per_connection": 5',
        `${json} expected "," or "}" at line 1, column 34, got the end of the text`,
      ],
      [
        '{"max_requests_per',
        `${json} expected the end of a string at line 1, column 19, got the end of the text`,
      ],
      [
        '{\n  "jitter_percent": 5,\n}',
        `${json} expected a key in "quotes" at line 3, column 1, got "}"`,
      ],
      ["{'a': 5}", `${json} expected a key in "quotes" at line 1, column 2, got "'"`],
      ['{"jitter_percent" 5}', `${json} expected ":" at line 1, column 19, got "5"`],
      ['{"jitter_percent": 05}', `${json} expected "," or "}" at line 1, column 21, got "5"`],
      ['{"jitter_percent": 5.}', `${json} expected a digit at line 1, column 22, got "}"`],
      ['{"jitter_percent": +5}', `${json} expected a value at line 1, column 20, got "+"`],
      ['{"jitter_percent": NaN}', `${json} expected a value at line 1, column 20, got "N"`],
      [
        '{"jitter_percent": 5} x',
        `${json} expected the end of the text at line 1, column 23, got "x"`,
      ],
      ['{"a\\x": 5}', `${json} expected an escape that JSON knows at line 1, column 5, got "x"`],
      ['{"a\\u12": 5}', `${json} expected four hexadecimal digits at line 1, column 8, got "\\""`],
      [
        '{"a\u0001": 5}',
        `${json} expected a control character to be escaped at line 1, column 4, got "\\u0001"`,
      ],
      [
        '{"jitter_percent": 5, "jitter_percent": 6}',
        `${json} duplicate key "jitter_percent" at line 1, column 23`,
      ],
      ["[".repeat(deep), `${json} more than 32 levels of nesting at line 1, column 33`],
      ['{"a":'.repeat(deep / 5), `${json} more than 32 levels of nesting at line 1, column 161`],
      [" ".repeat(4 * 2 ** 20 + 1), "the configuration must be at most 4194304 bytes, got 4194305"],
    ].map(([text, error]) => ({ title: text!.slice(0, 45), text: text!, error: error! })),
  )("$title", ({ text, error }) => {
    expect(core.parse(text)).toBe(`invalid config: ${error}`);
  });

  test("from a Struct as from JSON", () => {
    const refused = (config: Record<string, unknown>) => core.parse(encodeStruct(config));
    expect(refused({ max_requests_per_connection: 1.5 })).toBe(
      core.parse('{"max_requests_per_connection":1.5}'),
    );
    expect(refused({ max_requests_per_connection: 0 })).toBe(
      core.parse('{"max_requests_per_connection":0}'),
    );
    expect(refused({ max_requests_per_connection: "100" })).toBe(
      core.parse('{"max_requests_per_connection":"100"}'),
    );
    expect(refused({ shadow_mode: null })).toBe(core.parse('{"shadow_mode":null}'));
    expect(refused({ max_request: [1, {}, true] })).toBe(core.parse('{"max_request":5}'));
  });
});

describe("the reader", () => {
  test("takes exactly the texts that JSON.parse takes", () => {
    // The reader is strict about what JSON.parse lets pass: duplicate keys and deep nesting.
    fc.assert(
      fc.property(
        fc.jsonValue({ maxDepth: 4 }),
        fc.nat(),
        fc.string({ maxLength: 1 }),
        (value, at, edit) => {
          const valid = JSON.stringify(value);
          const place = at % (valid.length + 1);
          const text = valid.slice(0, place) + edit + valid.slice(place + 1);
          const error = core.parse(text);
          if (error.includes("duplicate key") || text.trim() === "") return;
          expect(error.includes("must be valid JSON")).toBe(!isJson(text));
        },
      ),
      { numRuns: 2000 },
    );
  });

  test("never traps, whatever the bytes", () => {
    const bytes = fc.uint8Array({ maxLength: 64 });
    fc.assert(
      fc.property(bytes, (bytes) => {
        if (bytes.length > 0) expect(core.parse(bytes)).toMatch(/^(invalid config: |\{)/);
      }),
      { numRuns: 2000 },
    );
  });

  test("never traps on a Struct that is cut short or damaged", () => {
    const whole = encodeStruct({ a: ["b", { c: null }], jitter_percent: 5, shadow_mode: true });
    for (let length = 1; length < whole.length; length++) {
      expect(core.parse(whole.slice(0, length))).toMatch(/^invalid config: /);
    }
    fc.assert(
      fc.property(fc.nat(whole.length - 1), fc.nat(255), (at, byte) => {
        const damaged = whole.slice();
        damaged[at] = byte;
        expect(core.parse(damaged)).toMatch(/^(invalid config: |\{)/);
      }),
    );
  });

  test("bounds the nesting of a Struct too, of objects and of lists", () => {
    expect(core.parse(nestedStruct(20_000, "object"))).toMatch(/^invalid config: /);
    expect(core.parse(nestedStruct(20_000, "list"))).toMatch(/^invalid config: /);
  });

  test("stays linear: a megabyte of escapes, keys or numbers is read in one go", () => {
    const escapes = `{"${"\\n".repeat(500_000)}":1}`;
    expect(core.parse(escapes)).toContain("unknown key");
    const keys = `{${Array.from({ length: 100_000 }, (_, i) => `"k${i}":1`).join(",")}}`;
    expect(core.parse(keys)).toContain('unknown key "k0"');
    const digits = `{"jitter_percent":${"9".repeat(1_000_000)}}`;
    expect(core.parse(digits)).toContain(`got ${"9".repeat(40)}...`);
  });
});

describe("the keys", () => {
  test("have the defaults that an empty configuration shows", () => {
    expect(Object.fromEntries(core.keys().map((key) => [key.name, key.default]))).toEqual(DEFAULTS);
  });

  test("version equals package.json's", () => {
    const manifest = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as {
      version: string;
    };
    expect(core.version()).toBe(manifest.version);
  });
});

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
