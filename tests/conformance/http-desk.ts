/** HTTP listeners of adapters under test: what stands behind one, and who asks it by hand. */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import type { TestContext } from "node:test";
import { connect as connectTls } from "node:tls";
import type { Adapter, BindableEndpoint, SocketOptions } from "../../runtime/core/contract.ts";
import type { Address } from "../../runtime/core/endpoint.ts";
import type { PorticoError } from "../../runtime/core/errors.ts";
import {
  Exchange,
  type HttpListener,
  type HttpSide,
  type HttpTable,
} from "../../runtime/core/exchange.ts";
import type { TlsContext } from "../../runtime/core/tls.ts";
import { certificates } from "../support/certificates.ts";
import { until, within } from "../support/until.ts";

/** Answers with the path, or when it is let go; notes what it is told. */
export class Desk implements HttpTable {
  listener!: HttpListener;
  readonly closed: { readonly path: string; readonly gone: boolean }[] = [];
  readonly remotes: string[] = [];
  readonly locals: string[] = [];
  readonly failures: PorticoError[] = [];
  readonly #waiting: (() => void)[] = [];

  open(side: HttpSide, request: Request, own: unknown): Exchange {
    return new Exchange(side, request, own);
  }

  answer(exchange: Exchange): Response | Promise<Response> {
    const { request } = exchange;
    const { pathname } = new URL(request.url);
    this.remotes.push(String(exchange.remote));
    this.locals.push(String(exchange.local));
    if (pathname === "/body") return request.text().then((text) => new Response(text));
    exchange.side.watch(exchange);
    if (pathname !== "/wait") return new Response(`you asked for ${pathname}`);
    return new Promise((resolve) => {
      this.#waiting.push(() => resolve(new Response("let go")));
    });
  }

  isAwaited(): boolean {
    return true;
  }

  close(exchange: Exchange, gone: boolean): void {
    this.closed.push({ path: new URL(exchange.request.url).pathname, gone });
  }

  failure(error: PorticoError): void {
    this.failures.push(error);
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  letGo(): void {
    for (const answer of this.#waiting.splice(0)) answer();
  }
}

/** A connection that says HTTP/1.1 by hand. */
export class Client {
  text = "";
  gone = false;
  readonly #socket: Socket;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.setEncoding("utf8").on("data", (chunk: string) => this.text += chunk);
    socket.on("close", () => this.gone = true).on("error", () => {});
  }

  ask(path: string, body?: string): void {
    const method = body === undefined ? "GET" : "POST";
    const length = body === undefined ? "" : `Content-Length: ${body.length}\r\n`;
    this.#socket.write(
      `${method} ${path} HTTP/1.1\r\nHost: localhost\r\n${length}\r\n${body ?? ""}`,
    );
  }

  say(head: string): void {
    this.#socket.write(head);
  }

  async hears(text: string): Promise<void> {
    await until(() => `${text} in ${this.text}`, () => this.text.includes(text));
  }

  end(): void {
    this.#socket.end();
  }

  leave(): void {
    this.#socket.destroy();
  }
}

export async function dial(
  t: TestContext,
  { transport, host, port, path }: Address,
): Promise<Client> {
  if (transport === "https") {
    const socket = connectTls({ host, port, ca: certificates().cert("ca") });
    t.after(() => void socket.destroy());
    // Whose turn comes later has no handshake before.
    await within("a connection", once(socket, "connect"));
    return new Client(socket);
  }
  const socket = host === ""
    ? connect(path.replace(/^@/, "\0"))
    : connect({ port, host, noDelay: true });
  t.after(() => void socket.destroy());
  await within("a connection", once(socket, "connect"));
  return new Client(socket);
}

/** That of a server, for `https`. */
export async function tlsFor(adapter: Adapter, transport: string): Promise<TlsContext | undefined> {
  if (transport !== "https") return undefined;
  return (await adapter.tls!()).server({
    identities: [certificates().identity("server")],
    alpn: ["http/1.1"],
    client: "none",
    ca: [],
    minVersion: "TLSv1.2",
  });
}

export async function open(
  t: TestContext,
  adapter: Adapter,
  endpoint: BindableEndpoint,
  options: SocketOptions = {},
): Promise<Desk> {
  const desk = new Desk();
  const tls = await tlsFor(adapter, endpoint.transport);
  desk.listener = await within("serve", adapter.serve(endpoint, desk, options, tls));
  t.after(async () => {
    await desk.listener.close();
    desk.listener.abort();
  });
  return desk;
}
