import { setTimeout as sleep } from "node:timers/promises";
import { Pool } from "undici";

export interface LoadResult {
  requests: number;
  /** What went wrong, by request; must be empty. */
  failures: string[];
}

/** Keep-alive clients, each with a connection pool, that send requests until they are stopped. */
export class Load {
  private stopped = false;
  private readonly result: LoadResult = { requests: 0, failures: [] };
  private readonly done: Promise<unknown>;

  private constructor(port: number, clients: number) {
    this.done = Promise.all(Array.from({ length: clients }, () => this.client(port)));
  }

  static start(port: number, clients = 8): Load {
    return new Load(port, clients);
  }

  async stop(): Promise<LoadResult> {
    this.stopped = true;
    await this.done;
    return this.result;
  }

  private async client(port: number): Promise<void> {
    const pool = new Pool(`http://127.0.0.1:${port}`, { connections: 2, pipelining: 1 });
    for (let i = 0; !this.stopped; i++) {
      const body = i % 2 ? "x".repeat(1000) : undefined;
      const expected = body ?? "hello\n";
      try {
        const response = await pool.request(
          body ? { method: "POST", path: "/echo", body } : { method: "GET", path: "/" },
        );
        const received = await response.body.text();
        if (response.statusCode !== 200 || received !== expected) {
          this.result.failures.push(`status ${response.statusCode}, ${received.length} bytes`);
        }
      } catch (error) {
        this.result.failures.push(String(error));
      }
      this.result.requests++;
      await sleep(2);
    }
    await pool.close();
  }
}
