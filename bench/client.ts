import { connect, type Socket } from "node:net";

const REQUEST = Buffer.from("GET / HTTP/1.1\r\nhost: service\r\n\r\n");
const END_OF_HEAD = "\r\n\r\n";
const BODY_LENGTH = 5;

/** Keeps connections to a listener busy with one request each, and counts the answers. */
export class Client {
  answers = 0;
  private running = true;
  private readonly sockets = new Set<Socket>();

  constructor(
    private readonly port: number,
    connections: number,
  ) {
    for (let i = 0; i < connections; i++) this.open();
  }

  /** Sends nothing more and closes all connections. */
  stop(): void {
    this.running = false;
    for (const socket of this.sockets) socket.destroy();
  }

  private open(): void {
    const socket = connect({ port: this.port, host: "127.0.0.1", noDelay: true });
    this.sockets.add(socket);
    let pending = "";
    socket.on("connect", () => socket.write(REQUEST));
    socket.on("data", (data) => {
      pending += data.toString("latin1");
      const end = pending.indexOf(END_OF_HEAD);
      if (end < 0 || pending.length < end + END_OF_HEAD.length + BODY_LENGTH) return;
      this.answers++;
      const closes = pending.includes("connection: close");
      pending = "";
      if (!closes && this.running) socket.write(REQUEST);
    });
    socket.on("error", () => socket.destroy());
    socket.on("close", () => {
      this.sockets.delete(socket);
      if (this.running) this.open();
    });
  }
}
