/** Clients: one that says one line and is answered with one, over any transport. */
import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { type ClientRequest, request } from "node:http";
import type { TestContext } from "node:test";
import type { ConnectionOptions, TLSSocket } from "node:tls";
import { PATIENCE, STREAMS, type Transport } from "./case.ts";
import {
  DatagramClient,
  openDatagrams,
  parseEndpoint,
  type Scope,
  until,
  within,
} from "./support.ts";
import { Talker } from "./talker.ts";

/** One client, that has said its line. */
export interface Call {
  /** Its own address as records have it, or what that looks like. */
  readonly name: string | RegExp;
  /** Whether there is an answer by now. */
  readonly answered: boolean;
  /** Waits for the answer. */
  answer(): Promise<string>;
  /** Waits for the answer, and ends the conversation in order. */
  done(): Promise<string>;
  /**
   * Waits for the end that the server has put to it, without an answer: streams see that they are
   * closed, requests see `status`, and datagrams see nothing.
   */
  refused(status: number): Promise<void>;
  /** As {@link refused}, with a text beside it: of datagrams there is none. */
  dismissed(status: number): Promise<string>;
  /** Waits until a stream is reset, unanswered; over a Unix socket it is closed. */
  wasReset(): Promise<void>;
  /** Goes away without a word: over TLS without its farewell. With `reset`, a stream says that by a reset. */
  leave(reset?: boolean): void;
  /** Begins TLS, when it has been told to go on, and says another line. Of streams in clear. */
  startTls?(line: string): Promise<void>;
  /** Says more: on a stream in clear, or by another datagram. */
  say?(text: string): void;
  /** The client's side of TLS, where it is spoken. */
  readonly tls?: TLSSocket | undefined;
}

/** How a client calls. */
export interface Calling {
  /** Its own address, where the transport has such. */
  readonly from?: string;
  /** Bytes beside the line, which the server does not look at. */
  readonly padding?: number;
  /** What it says is half a line, of a stream. */
  readonly half?: boolean;
  /** It does not read what it is answered, of a stream. */
  readonly deaf?: boolean;
  /** It says no more than that: a stream is half-closed. */
  readonly last?: boolean;
  /** Over `tls` it says its line in clear. */
  readonly clear?: boolean;
  /** Of TLS, beside whom it trusts and whom it asks for. */
  readonly tls?: ConnectionOptions;
  /** What is said before the line, with which it goes out in one piece; pieces before the last are sent for themselves. */
  readonly header?: readonly Uint8Array[];
}

/** Calls; the client is gone when `scope` is over. An empty line is none: nothing is said. */
export async function call(
  scope: Scope,
  transport: Transport,
  endpoint: string,
  line: string,
  calling: Calling = {},
): Promise<Call> {
  if (transport === "http") return await Asker.call(scope, endpoint, line, calling);
  const text = line === "" || calling.half === true ? line : `${line}\n`;
  if (transport === "tls" || STREAMS.includes(transport)) {
    const secure = transport === "tls" && calling.clear !== true;
    return await Talker.call(scope, endpoint, text, calling, secure);
  }
  const whole = `${text}${" ".repeat(calling.padding ?? 0)}`;
  return await Sender.call(scope, transport, endpoint, whole, calling);
}

/** A socket of UDP with an address that was chosen. */
class Gram extends DatagramClient {
  readonly #socket = createSocket("udp4");
  name = "";

  async open(scope: Scope, from: string): Promise<void> {
    const socket = this.#socket;
    socket.on("message", (bytes: Uint8Array) => this.take(bytes));
    scope.after(() => new Promise<void>((resolve) => socket.close(() => resolve())));
    socket.bind(0, from);
    await within("a port", once(socket, "listening"));
    const { address, port } = socket.address();
    this.name = `udp://${address}:${port}`;
  }

  send(bytes: Uint8Array | string, endpoint: string): void {
    const { port, host } = parseEndpoint(endpoint) as { port: number; host: string };
    this.#socket.send(bytes, port, host);
  }
}

/** A datagram. */
class Sender implements Call {
  readonly name: string | RegExp;
  readonly #socket: DatagramClient;
  readonly #endpoint: string;

  private constructor(socket: DatagramClient, endpoint: string, name: string | RegExp) {
    this.#socket = socket;
    this.#endpoint = endpoint;
    this.name = name;
  }

  static async call(
    scope: Scope,
    transport: Transport,
    endpoint: string,
    line: string,
    { from = "127.0.0.1", header = [] }: Calling,
  ) {
    const text = header.length === 0 ? line : Buffer.concat([...header, Buffer.from(line)]);
    if (transport === "unixgram") {
      const socket = await openDatagrams(scope as TestContext, transport);
      socket.send(text, endpoint);
      return new Sender(socket, endpoint, /^unixgram:\/./);
    }
    const gram = new Gram();
    await gram.open(scope, from);
    gram.send(text, endpoint);
    return new Sender(gram, endpoint, gram.name);
  }

  say(text: string): void {
    this.#socket.send(text, this.#endpoint);
  }

  get answered(): boolean {
    return this.#socket.received.length > 0;
  }

  async answer(): Promise<string> {
    await this.#socket.when("an answer", () => this.answered, PATIENCE);
    return new TextDecoder().decode(this.#socket.received[0]).slice(0, -1);
  }

  done(): Promise<string> {
    return this.answer();
  }

  dismissed(): Promise<string> {
    return Promise.reject(new Error("a datagram is told nothing"));
  }

  wasReset(): Promise<void> {
    return Promise.reject(new Error("a datagram has no connection"));
  }

  refused(): Promise<void> {
    assert.ok(!this.answered, "it is not answered");
    return Promise.resolve();
  }

  leave(): void {}
}

/** A request, over a connection of its own. */
class Asker implements Call {
  name = "";
  readonly #sent: ClientRequest;
  #status = 0;
  #text = "";
  #over = false;

  private constructor(sent: ClientRequest) {
    this.#sent = sent;
    sent.on("error", () => this.#over = true);
    sent.on("response", (response) => {
      response.setEncoding("utf8").on("data", (text: string) => this.#text += text);
      response.on("close", () => {
        this.#status = response.statusCode!;
        this.#over = true;
      });
    });
  }

  static async call(scope: Scope, endpoint: string, line: string, { from }: Calling) {
    const { host, port } = parseEndpoint(endpoint) as { host: string; port: number };
    const path = `/${encodeURIComponent(line)}`;
    const local = from === undefined ? {} : { localAddress: from };
    const sent = request({ host, port, path, ...local, agent: false });
    const asker = new Asker(sent);
    scope.after(() => void sent.destroy());
    sent.end();
    const [socket] = await within("a socket", once(sent, "socket"));
    if (socket.connecting) await within(`a connection to ${endpoint}`, once(socket, "connect"));
    asker.name = `tcp://${socket.localAddress}:${socket.localPort}`;
    return asker;
  }

  get answered(): boolean {
    return this.#status === 200;
  }

  async answer(): Promise<string> {
    await until("an answer", () => this.#over, PATIENCE);
    assert.equal(this.#status, 200, "it is answered");
    return this.#text;
  }

  done(): Promise<string> {
    return this.answer();
  }

  async refused(status: number): Promise<void> {
    await until("an answer", () => this.#over, PATIENCE);
    assert.equal(this.#status, status);
    assert.equal(this.#text, "");
  }

  async dismissed(status: number): Promise<string> {
    await until("an answer", () => this.#over, PATIENCE);
    assert.equal(this.#status, status);
    return this.#text;
  }

  wasReset(): Promise<void> {
    return Promise.reject(new Error("a request is answered"));
  }

  leave(): void {
    this.#sent.destroy();
  }
}
