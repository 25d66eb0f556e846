import { describe, expect, test } from "vitest";
import { stringify } from "yaml";
import { type Bootstrap, EnvoyProcess } from "../../tools/envoy/process.js";
import { connectionFields, Http1Connection } from "./clients/http1.js";
import { Gateway } from "./support/gateway.js";
import { configure, pluginConfig, readSample, relocate, type Sample } from "./support/sample.js";

const LIMIT = "-1 (never) or an integer from 1 to 2147483647";
const KEYS =
  "max_requests_per_connection, max_streams_per_connection, jitter_percent, shadow_mode, max_tracked_connections, drain";

describe("a bad configuration is refused at load with one line", () => {
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
      ['{"max_request": 5}', `unknown key "max_request", allowed are ${KEYS}`],
      ["[]", "the configuration must be a JSON object, got an array"],
      ["null", "the configuration must be a JSON object, got null"],
      ["   ", "the configuration must be a JSON object, got blank text"],
      [
        '{"max_requests_per_connection": 5',
        'the configuration must be valid JSON: expected "," or "}" at line 1, column 34, got the end of the text',
      ],
      [
        '{"jitter_percent": 1, "jitter_percent": 2}',
        'the configuration must be valid JSON: duplicate key "jitter_percent" at line 1, column 23',
      ],
      [
        "[".repeat(1_000_000),
        "the configuration must be valid JSON: more than 32 levels of nesting at line 1, column 33",
      ],
    ].map(([text, error]) => ({ title: text!.slice(0, 45), text: text!, error: error! })),
  )("$title", async ({ text, error }) => {
    expect(await refusal(text)).toEqual([`evenkeel: invalid config: ${error}`]);
  });

  test.each([
    [{ max_requests_per_connection: 0 }, `max_requests_per_connection must be ${LIMIT}, got 0`],
    [{ max_requests_per_connection: 1.5 }, `max_requests_per_connection must be ${LIMIT}, got 1.5`],
    [{ max_request: 5 }, `unknown key "max_request", allowed are ${KEYS}`],
    [{ shadow_mode: "yes" }, 'shadow_mode must be true or false, got "yes"'],
  ])("as a Struct: %o", async (config, error) => {
    expect(await refusal(config)).toEqual([`evenkeel: invalid config: ${error}`]);
  });

  test("with what Envoy's YAML reader makes of a fraction", async () => {
    const yaml = stringify(sampleWith({ max_requests_per_connection: 1.5 }));
    expect(yaml).toContain("max_requests_per_connection: 1.5\n");
    expect(await refusalOf(yaml)).toEqual([
      `evenkeel: invalid config: max_requests_per_connection must be ${LIMIT}, got "1.5"`,
    ]);
  });

  /** Starts Envoy, which must refuse to, and returns what the plugin had to say. */
  async function refusal(configuration: string | Record<string, unknown>): Promise<string[]> {
    return await refusalOf(sampleWith(configuration));
  }

  function sampleWith(configuration: string | Record<string, unknown>): Sample {
    const sample = relocate(readSample(), 1);
    configure(sample.static_resources.listeners[0]!, configuration);
    return sample;
  }

  async function refusalOf(bootstrap: Bootstrap): Promise<string[]> {
    const error: Error = await EnvoyProcess.start(bootstrap).then(
      async (envoy) => {
        await envoy.stop();
        return new Error("Envoy started");
      },
      (error: unknown) => error as Error,
    );
    expect(error.message).toContain("Unable to create Wasm plugin evenkeel");
    // A trap would show as "Function: proxy_on_configure failed".
    expect(error.message).not.toContain("Function: ");
    return error.message
      .split("\n")
      .filter((line) => line.includes("wasm log"))
      .map((line) => line.slice(line.indexOf(": evenkeel: ") + 2));
  }
});

describe("a good configuration", () => {
  test("may be missing: the defaults apply, and one line says which, whatever the workers", async () => {
    const gateway = await Gateway.start({
      concurrency: 3,
      edit: (sample) => {
        delete (pluginConfig(sample.static_resources.listeners[0]!) as { configuration?: unknown })
          .configuration;
      },
    });
    const started = gateway.envoy.log.split("\n").filter((line) => line.includes("wasm log"));
    expect(started).toHaveLength(1);
    expect(started[0]).toMatch(/\[info\]\[wasm\]/);
    expect(started[0]).toContain(
      'evenkeel 0.1.0 started: {"max_requests_per_connection":100,"max_streams_per_connection":1000,"jitter_percent":10,"shadow_mode":false,"max_tracked_connections":65536,"drain":"auto"}',
    );
    const connection = await Http1Connection.open(gateway.port);
    connection.send(
      "GET / HTTP/1.1\r\nhost: service\r\n\r\n".repeat(120),
      ...Array<string>(120).fill("GET"),
    );
    const fields = connectionFields(await connection.transcribe(101)).split(" ");
    expect(fields.length).toBeGreaterThanOrEqual(90);
    expect(fields.length).toBeLessThanOrEqual(100);
    expect(fields.indexOf("close")).toBe(fields.length - 1);
    await gateway.stop();
  });

  test.each([
    ["names of any kind", { name: "a b", root_id: "ü.1", vm_id: "x/y" }],
    ["no names", { name: "", root_id: "", vm_id: "" }],
  ])("comes with %s", async (_sentence, { name, root_id, vm_id }) => {
    const gateway = await Gateway.start({
      plugin: '{"max_requests_per_connection": 2, "jitter_percent": 0}',
      edit: (sample) => {
        const config = pluginConfig(sample.static_resources.listeners[0]!);
        Object.assign(config, { name, root_id });
        Object.assign(config.vm_config as object, { vm_id });
      },
    });
    expect(await closesAfter(gateway.port)).toBe(2);
    await gateway.stop();
  });

  test("of several listeners in one VM applies to each of them alone", async () => {
    const gateway = await Gateway.start({
      plugin: { max_requests_per_connection: 2, jitter_percent: 0 },
      edit: (sample) => {
        addListener(sample, "second", { max_requests_per_connection: 4, jitter_percent: 0 });
        addListener(sample, "third", { max_requests_per_connection: 3, jitter_percent: 0 });
      },
    });
    const ports = ["ingress", "second", "third"].map((name) => gateway.envoy.port(name));
    const counts = (await Promise.all(ports)).map((port) => closesAfter(port));
    expect(await Promise.all(counts)).toEqual([2, 4, 3]);
    expect(await gateway.stat("requests")).toBe(9);
    expect(await gateway.stat("connections_tracked")).toBe(3);
    await gateway.stop();
  });
});

/** Adds a copy of the sample's listener with another plugin configuration. */
function addListener(sample: Sample, name: string, configuration: Record<string, unknown>): void {
  const copy = structuredClone(sample.static_resources.listeners[0]!);
  copy.name = name;
  configure(copy, configuration);
  sample.static_resources.listeners.push(copy);
}

/** How many of ten requests a connection answers. */
async function closesAfter(port: number): Promise<number> {
  const connection = await Http1Connection.open(port);
  connection.send(
    "GET / HTTP/1.1\r\nhost: service\r\n\r\n".repeat(10),
    ...Array<string>(10).fill("GET"),
  );
  const { responses } = await connection.transcribe(11);
  expect(responses.every(({ status, body }) => status === 200 && body === "hello\n")).toBe(true);
  return responses.length;
}
