import { existsSync } from "node:fs";
import { join } from "node:path";
import { execa, type ResultPromise } from "execa";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { CACHE, ROOT } from "../../tools/paths.js";
import { header, Http1Connection } from "./clients/http1.js";
import { Gateway } from "./support/gateway.js";

const FOLDER = join(ROOT, "test/e2e/tomcat");
const LIMITS = [1, 2, 3, 100, -1];

const POST = "POST /echo HTTP/1.1\r\nhost: service\r\n";
const STREAMS: [sentence: string, method: string, bytes: string][] = [
  ["GET", "GET", "GET / HTTP/1.1\r\nhost: service\r\n\r\n"],
  ["GET of 5 kB", "GET", "GET /bytes/5000 HTTP/1.1\r\nhost: service\r\n\r\n"],
  ["HEAD", "HEAD", "HEAD / HTTP/1.1\r\nhost: service\r\n\r\n"],
  ["POST", "POST", `${POST}content-length: 7\r\n\r\nabcdefg`],
  [
    "chunked POST",
    "POST",
    `${POST}transfer-encoding: chunked\r\n\r\n3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n`,
  ],
  ["404", "GET", "GET /status/404 HTTP/1.1\r\nhost: service\r\n\r\n"],
  ["204", "GET", "GET /status/204 HTTP/1.1\r\nhost: service\r\n\r\n"],
  ["304", "GET", "GET /status/304 HTTP/1.1\r\nhost: service\r\n\r\n"],
  ["keep-alive", "GET", "GET / HTTP/1.1\r\nhost: service\r\nconnection: keep-alive\r\n\r\n"],
  [
    "HTTP/1.0 keep-alive",
    "GET",
    "GET / HTTP/1.0\r\nhost: service\r\nconnection: keep-alive\r\n\r\n",
  ],
  ["Connection: close", "GET", "GET / HTTP/1.1\r\nhost: service\r\nconnection: close\r\n\r\n"],
];

const missing = await missingTool();

describe.skipIf(missing)(
  `evenkeel gives what Tomcat's maxKeepAliveRequests gives${missing ? ` (${missing})` : ""}`,
  () => {
    let tomcat: ResultPromise;
    const tomcatPorts = new Map<number, number>();
    const gateways = new Map<number, Gateway>();

    beforeAll(async () => {
      tomcat = execa(
        "java",
        [
          "-cp",
          join(await tomcatJars(), "*"),
          join(FOLDER, "TomcatPeer.java"),
          ...LIMITS.map(String),
        ],
        {
          stdin: "pipe",
          reject: false,
        },
      );
      const ports = await new Promise<string>((resolve, reject) => {
        tomcat.stdout!.once("data", (data: Buffer) => {
          resolve(data.toString());
        });
        void tomcat.then(({ stderr }) => {
          reject(new Error(`Tomcat ended: ${String(stderr)}`));
        });
      });
      for (const [index, port] of ports.trim().split(" ").entries()) {
        tomcatPorts.set(LIMITS[index]!, Number(port));
      }
      for (const limit of LIMITS) {
        const plugin = { max_requests_per_connection: limit, jitter_percent: 0 };
        gateways.set(limit, await Gateway.start({ plugin }));
      }
    }, 300_000);

    afterAll(async () => {
      tomcat.stdin!.end();
      await tomcat;
      for (const gateway of gateways.values()) await gateway.stop();
    });

    describe.each(LIMITS)("limit %i", (limit) => {
      test.each(STREAMS)("%s", async (_sentence, method, bytes) => {
        const expected = await outcome(tomcatPorts.get(limit)!, limit, method, bytes);
        expect(await outcome(gateways.get(limit)!.port, limit, method, bytes)).toEqual(expected);
      });
    });
  },
);

/** What a client sees of a stream that goes two requests beyond the limit. */
async function outcome(port: number, limit: number, method: string, bytes: string) {
  const count = limit < 0 ? 110 : limit + 2;
  const connection = await Http1Connection.open(port);
  connection.send(bytes.repeat(count), ...Array<string>(count).fill(method));
  const transcript = await connection.transcribe(limit < 0 ? count : limit + 1);
  connection.close();
  return {
    statuses: transcript.responses.map(({ status }) => status),
    bodies: transcript.responses.map(({ body }) => body),
    closes: transcript.responses.map((response) =>
      header(response, "connection").includes("close"),
    ),
    connection: transcript.connection,
    rest: transcript.rest,
  };
}

async function missingTool(): Promise<string> {
  for (const [tool, flag] of [
    ["java", "-version"],
    ["mvn", "--version"],
  ] as const) {
    const { exitCode } = await execa(tool, [flag], { reject: false });
    if (exitCode !== 0) return `skipped: ${tool} is not installed`;
  }
  return "";
}

/** The folder with Tomcat's jars, from Maven. */
async function tomcatJars(): Promise<string> {
  const folder = join(CACHE, "tomcat-10.1.40");
  if (!existsSync(join(folder, "tomcat-embed-core-10.1.40.jar"))) {
    const pom = join(FOLDER, "pom.xml");
    const goal = ["dependency:copy-dependencies", `-DoutputDirectory=${folder}`];
    await execa("mvn", ["--batch-mode", "--quiet", "--file", pom, ...goal]);
  }
  return folder;
}
