import { readFileSync } from "node:fs";
import { once } from "node:events";
import { connect as connectHttp2 } from "node:http2";
import { connect as connectTls } from "node:tls";
import { join } from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { EnvoyProcess } from "../../tools/envoy/process.js";
import { ROOT } from "../../tools/paths.js";
import { installPython } from "../../tools/python/install.js";
import { makeCertificate } from "./support/certificate.js";
import { expectCalm } from "./support/gateway.js";
import { configure, connectionManager, readSample, relocate } from "./support/sample.js";
import { Upstream } from "./support/upstream.js";

type Step = ["request", count: number, path: string] | ["quiet", seconds: number] | ["closed"];

interface Http3Transcript {
  streams: Record<string, { status: number; size: number; ended: boolean }>;
  resets: number[];
  connection: "open" | "ended";
  error: number | null;
}

/** Why the HTTP/3 client cannot be had here; empty where it can. */
const missing = await installPython("http3.txt").then(
  () => "",
  (error: unknown) => ` (skipped: ${(error as Error).message})`,
);

describe("envoy/tls.yaml with limit 3", () => {
  let upstream: Upstream;
  let envoy: EnvoyProcess;
  let certificate: string;

  beforeAll(async () => {
    certificate = await makeCertificate();
    upstream = await Upstream.start();
    const sample = relocate(readSample("envoy/tls.yaml"), upstream.port);
    for (const listener of sample.static_resources.listeners) {
      configure(listener, {
        max_requests_per_connection: 3,
        max_streams_per_connection: 3,
        jitter_percent: 0,
      });
      connectionManager(listener).drain_timeout = "0.5s";
    }
    envoy = await EnvoyProcess.start(sample, { concurrency: 2 });
  }, 180_000);

  afterAll(async () => {
    const stats = await envoy.stats();
    const { log } = envoy;
    expect(await envoy.stop()).toBe(0);
    await upstream.stop();
    expectCalm(log);
    expect(stats["wasmcustom.evenkeel_drain_ignored"]).toBe(0);
    expect(stats["wasmcustom.evenkeel_host_call_failed"]).toBe(0);
  });

  async function playHttp3(script: Step[]): Promise<Http3Transcript> {
    const client = join(ROOT, "test/e2e/clients/http3.py");
    const port = String(await envoy.port("ingress-http3"));
    const { stdout } = await execa("python3", [client, port, certificate, JSON.stringify(script)], {
      env: { PYTHONPATH: await installPython("http3.txt"), PYTHONDONTWRITEBYTECODE: "1" },
    });
    return JSON.parse(stdout) as Http3Transcript;
  }

  function expectWhole({ streams, resets }: Http3Transcript, count: number, size: number): void {
    expect(Object.values(streams)).toEqual(Array(count).fill({ status: 200, size, ended: true }));
    expect(resets).toEqual([]);
  }

  describe.skipIf(missing)(`HTTP/3${missing}`, () => {
    test("an HTTP/3 connection ends without an error after its third request", async () => {
      const transcript = await playHttp3([
        ["request", 1, "/bytes/20000"],
        ["request", 1, "/bytes/20000"],
        ["quiet", 1],
        ["request", 1, "/bytes/20000"],
        ["closed"],
      ]);
      expectWhole(transcript, 3, 20_000);
      expect([transcript.connection, transcript.error]).toEqual(["ended", 0]);
    });

    test("an HTTP/3 connection below its limit stays open", async () => {
      const transcript = await playHttp3([
        ["request", 2, "/"],
        ["quiet", 1.5],
      ]);
      expectWhole(transcript, 2, 6);
      expect(transcript.connection).toBe("open");
    });

    test("50 concurrent HTTP/3 requests across the limit are all served", async () => {
      const transcript = await playHttp3([["request", 50, "/bytes/5000"], ["closed"]]);
      expectWhole(transcript, 50, 5000);
      expect([transcript.connection, transcript.error]).toEqual(["ended", 0]);
    });

    test("the access log shows the reason for HTTP/3, too", async () => {
      await playHttp3([
        ["request", 1, "/logged"],
        ["request", 1, "/logged"],
        ["request", 1, "/logged"],
        ["closed"],
      ]);
      const logged = () =>
        envoy.log
          .split("\n")
          .filter((line) => line.includes(" /logged HTTP/3 "))
          .map((line) => /EVENKEEL=(.*)$/.exec(line)![1]);
      await expect.poll(logged, { timeout: 15_000 }).toEqual(["-", "-", "requests"]);
    });
  });

  test("an HTTP/1.1 connection beside it ends with its third answer", async () => {
    const port = await envoy.port("ingress");
    const ca = readFileSync(certificate);
    const alpn = { ALPNProtocols: ["http/1.1"], servername: "localhost" };
    const client = connectTls({ port, host: "127.0.0.1", ca, ...alpn });
    client.write("GET / HTTP/1.1\r\nhost: localhost\r\n\r\n".repeat(5));
    let answer = "";
    for await (const chunk of client) answer += String(chunk);
    expect(answer.match(/HTTP\/1.1 200 OK/g)).toHaveLength(3);
    expect(answer.match(/connection: close/g)).toHaveLength(1);
    expect(answer.match(/hello\n/g)).toHaveLength(3);
  });

  test("an HTTP/2 connection beside it gets its GOAWAY with the third stream", async () => {
    const port = await envoy.port("ingress");
    const session = connectHttp2(`https://localhost:${port}`, {
      ca: readFileSync(certificate),
      lookup: (_host, _options, done) => {
        done(null, [{ address: "127.0.0.1", family: 4 }]);
      },
    });
    const goaways: number[] = [];
    session.on("goaway", (_code: number, last: number) => goaways.push(last));
    for (let stream = 1; stream <= 3; stream++) {
      expect(goaways).toEqual([]);
      let body = "";
      for await (const chunk of session.request({ ":path": "/" })) body += String(chunk);
      expect(body).toBe("hello\n");
    }
    if (!session.destroyed) await once(session, "close");
    expect(goaways[0]).toBe(2 ** 31 - 1);
  });
});
