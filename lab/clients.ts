import { type ClientHttp2Session, connect } from "node:http2";
import { setTimeout as sleep } from "node:timers/promises";
import { Pool } from "undici";

export const CLIENTS = 12;

/** Connections that each client keeps open. */
export const CONNECTIONS_PER_CLIENT = 2;

/** Requests per second that each client sends. */
export const RATE = 50;

/** Sends one request and checks that the answer is whole. */
interface Client {
  /** Connections opened so far. */
  readonly connects: number;
  request(): Promise<void>;
  close(): Promise<void>;
}

/** Keep-alive clients that send a steady stream of requests. */
export class Clients {
  sent = 0;
  readonly failures: string[] = [];
  private stopping: Promise<void> | null = null;
  private readonly clients: Client[];
  private readonly done: Promise<unknown>;

  constructor(port: number, http2: boolean) {
    this.clients = Array.from({ length: CLIENTS }, () =>
      http2 ? new Http2Client(port) : new Http1Client(port),
    );
    this.done = Promise.all(this.clients.map((client, index) => this.drive(client, index)));
  }

  /** Connections opened so far, the first ones included. */
  get connects(): number {
    return this.clients.reduce((sum, { connects }) => sum + connects, 0);
  }

  /** Waits for the answers that are under way and closes all connections. */
  async stop(): Promise<void> {
    this.stopping ??= this.finish();
    await this.stopping;
  }

  private async finish(): Promise<void> {
    // Ends the loops of `drive`, which look at `stopping`; it is set once this function suspends.
    await Promise.resolve();
    await this.done;
    await Promise.all(this.clients.map((client) => client.close()));
  }

  /** Sends at fixed times, so that a slow answer does not thin out the stream. */
  private async drive(client: Client, index: number): Promise<void> {
    const period = 1000 / RATE;
    const start = performance.now() + (index * period) / CLIENTS;
    const pending = new Set<Promise<void>>();
    for (let n = 0; !this.stopping; n++) {
      await sleep(Math.max(0, start + n * period - performance.now()));
      this.sent++;
      const request = client.request().catch((error: unknown) => {
        this.failures.push(String(error));
      });
      pending.add(request);
      void request.then(() => pending.delete(request));
    }
    await Promise.all(pending);
  }
}

function check(status: number, body: string): void {
  if (status !== 200 || body !== "hello from a Pod\n") {
    throw new Error(`expected the whole answer of a Pod, got status ${status} and "${body}"`);
  }
}

class Http1Client implements Client {
  connects = 0;
  private readonly pool: Pool;

  constructor(port: number) {
    this.pool = new Pool(`http://127.0.0.1:${port}`, {
      connections: CONNECTIONS_PER_CLIENT,
      pipelining: 1,
    });
    this.pool.on("connect", () => this.connects++);
  }

  async request(): Promise<void> {
    const { statusCode, body } = await this.pool.request({ method: "GET", path: "/" });
    check(statusCode, await body.text());
  }

  async close(): Promise<void> {
    await this.pool.close();
  }
}

/** Node's HTTP/2 client with a pool of sessions; one that got a GOAWAY is replaced. */
class Http2Client implements Client {
  connects = 0;
  private next = 0;
  private readonly sessions: (ClientHttp2Session | undefined)[] = [];

  constructor(private readonly port: number) {}

  async request(): Promise<void> {
    const stream = this.session().request({ ":path": "/" });
    let status = 0;
    let body = "";
    stream.on("response", (headers) => (status = headers[":status"] ?? 0));
    for await (const chunk of stream.setEncoding("utf8")) body += chunk as string;
    check(status, body);
  }

  async close(): Promise<void> {
    for (const session of this.sessions) {
      if (!session || session.destroyed) continue;
      await new Promise<void>((resolve) => {
        session.close(resolve);
      });
    }
  }

  private session(): ClientHttp2Session {
    const slot = this.next++ % CONNECTIONS_PER_CLIENT;
    const current = this.sessions[slot];
    if (current && !current.closed && !current.destroyed) return current;
    const session = connect(`http://127.0.0.1:${this.port}`);
    this.connects++;
    // A session that fails fails its streams, and these are counted.
    session.on("error", () => undefined);
    this.sessions[slot] = session;
    return session;
  }
}
