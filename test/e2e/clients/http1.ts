import { connect, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { HTTPParser } from "http-parser-js";

export interface Response {
  status: number;
  /** Names in lower case, in their order on the wire. */
  headers: [string, string][];
  body: string;
}

export interface Transcript {
  /** Complete final responses. */
  responses: Response[];
  /** Statuses of the interim responses (1xx). */
  interim: Response[];
  /** How the connection stands: still open, ended cleanly by the gateway, or reset. */
  connection: "open" | "ended" | "reset";
  /** Bytes behind the last complete message: a cut-off response, or what follows a 101. */
  rest: string;
}

/** How long a connection must stay silent and open to count as kept open. */
const QUIET_MILLISECONDS = 150;

/** A client's connection that sends given bytes and reads what comes back, strictly. */
export class Http1Connection {
  private readonly methods: string[] = [];
  private readonly transcript: Transcript = {
    responses: [],
    interim: [],
    connection: "open",
    rest: "",
  };
  private current: Response | null = null;
  private upgraded = false;
  private parser = this.newParser();
  private lastByte = Date.now();

  private constructor(private readonly socket: Socket) {
    socket.setNoDelay(true);
    socket.on("data", (data: Buffer) => {
      this.read(data);
    });
    socket.on("end", () => {
      this.transcript.connection = "ended";
      socket.end();
    });
    socket.on("error", () => {
      this.transcript.connection = "reset";
    });
  }

  static async open(port: number): Promise<Http1Connection> {
    const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
    await new Promise<void>((resolve, reject) => {
      socket.once("connect", resolve).once("error", reject);
    });
    return new Http1Connection(socket);
  }

  /** Sends bytes in one write. The methods of the requests in them tell how to read the answers. */
  send(bytes: string, ...methods: string[]): this {
    this.methods.push(...methods);
    this.socket.write(bytes, "latin1");
    return this;
  }

  /** Reads until the gateway ends the connection, or has been silent after `count` responses. */
  async transcribe(count = 0, timeout = 10_000): Promise<Transcript> {
    const deadline = Date.now() + timeout;
    while (this.transcript.connection === "open" && Date.now() < deadline) {
      const complete = this.transcript.responses.length >= count;
      if (complete && Date.now() - this.lastByte > QUIET_MILLISECONDS) break;
      await sleep(5);
    }
    return this.transcript;
  }

  /** Waits for the response to the n-th request, counted from 1. */
  async response(n: number): Promise<Response> {
    const { responses } = await this.transcribeUntil(({ responses }) => responses.length >= n);
    const response = responses[n - 1];
    if (!response) throw new Error(`no response ${n}: ${JSON.stringify(this.transcript)}`);
    return response;
  }

  /** Reads until `done`, or until the gateway ends the connection. */
  async transcribeUntil(
    done: (transcript: Transcript) => boolean,
    timeout = 10_000,
  ): Promise<Transcript> {
    const deadline = Date.now() + timeout;
    while (!done(this.transcript) && this.transcript.connection === "open" && Date.now() < deadline)
      await sleep(2);
    return this.transcript;
  }

  close(): void {
    this.socket.destroy();
  }

  private read(data: Buffer): void {
    this.lastByte = Date.now();
    const parsed = this.upgraded ? 0 : this.parse(data);
    if (this.upgraded) this.transcript.rest += data.subarray(parsed).toString("latin1");
  }

  /** Parses messages up to the end of the bytes, or of a 101; returns how far. */
  private parse(data: Buffer): number {
    const parsed = this.parser.execute(data);
    if (parsed instanceof Error) throw parsed;
    return parsed;
  }

  private newParser(): InstanceType<typeof HTTPParser> {
    const parser = new HTTPParser(HTTPParser.RESPONSE);
    parser[HTTPParser.kOnHeadersComplete] = (info) => {
      const headers: [string, string][] = [];
      for (let i = 0; i < info.headers.length; i += 2) {
        headers.push([info.headers[i]!.toLowerCase(), info.headers[i + 1]!]);
      }
      this.current = { status: info.statusCode, headers, body: "" };
      this.upgraded = info.statusCode === 101;
      // RFC 9112, section 6.3: these have no content, whatever their fields say.
      const isToHead =
        info.statusCode >= 200 && this.methods[this.transcript.responses.length] === "HEAD";
      return isToHead || info.statusCode === 204 || info.statusCode === 304 ? 1 : 0;
    };
    parser[HTTPParser.kOnBody] = (buffer: Buffer, offset: number, length: number) => {
      this.current!.body += buffer.toString("latin1", offset, offset + length);
    };
    parser[HTTPParser.kOnMessageComplete] = () => {
      const response = this.current!;
      this.current = null;
      if (response.status < 200) this.transcript.interim.push(response);
      else this.transcript.responses.push(response);
    };
    return parser;
  }
}

/** All values of a header field. */
export function header(response: Response, name: string): string[] {
  return response.headers.filter(([key]) => key === name).map(([, value]) => value);
}

/** The `connection` fields of each response: "-" for none, "close" for exactly one close. */
export function connectionFields(transcript: Transcript): string {
  return transcript.responses
    .map((response) => header(response, "connection").join("+") || "-")
    .join(" ");
}
