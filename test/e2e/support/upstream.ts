import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";

/** A real HTTP/1.1 service behind the gateway. Its path says how it answers. */
export class Upstream {
  /** Every request that arrived, as header names and values in their order on the wire. */
  readonly requests: { method: string; url: string; rawHeaders: string[]; body: string }[] = [];

  private constructor(private readonly server: Server) {}

  /** @param port any free one unless given */
  static async start(port = 0): Promise<Upstream> {
    const server = createServer({ keepAliveTimeout: 60_000 });
    const upstream = new Upstream(server);
    server.on("request", (request, response) => void upstream.answer(request, response));
    server.on("upgrade", (request: IncomingMessage, socket: Socket) => {
      upstream.record(request, "");
      socket.write(
        "HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\r\n",
      );
      socket.on("error", () => socket.destroy()).pipe(socket);
    });
    await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
    return upstream;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private record(request: IncomingMessage, body: string): void {
    const { method = "", url = "", rawHeaders } = request;
    this.requests.push({ method, url, rawHeaders, body });
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    try {
      for await (const chunk of request) chunks.push(chunk as Buffer);
    } catch {
      return; // The client went away.
    }
    const body = Buffer.concat(chunks);
    this.record(request, body.toString());
    const [, kind, size] = request.url!.split("?")[0]!.split("/");
    switch (kind) {
      case "status":
        response.writeHead(Number(size)).end(Number(size) === 404 ? "not here\n" : undefined);
        break;
      case "bytes":
        response.end(Buffer.alloc(Number(size), "x"));
        break;
      case "echo":
        response.end(body);
        break;
      case "chunked":
        response.write("first,");
        response.end("second\n");
        break;
      case "never":
        break;
      case "fail":
        request.socket.destroy();
        break;
      case "redirect":
        response.writeHead(302, { location: `http://${request.headers.host}/` }).end();
        break;
      default:
        response.end("hello\n");
    }
  }
}
