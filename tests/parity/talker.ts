/** Clients of streams, in clear and by TLS. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import type { Call, Calling } from "./calls.ts";
import { PATIENCE } from "./case.ts";
import { parseEndpoint, type Scope, StreamClient, within } from "./support.ts";
import { lead, secured } from "./tls-client.ts";

export class Talker implements Call {
  readonly name: string;
  readonly #scope: Scope;
  readonly #wire: Socket;
  #peer: StreamClient;
  #tls: TLSSocket | undefined;

  private constructor(scope: Scope, wire: Socket, peer: StreamClient, tls?: TLSSocket) {
    this.#scope = scope;
    this.#wire = wire;
    this.#peer = peer;
    this.#tls = tls;
    const { localAddress, localPort } = wire;
    const scheme = tls === undefined ? "tcp" : "tls";
    this.name = localPort === undefined ? "unix:" : `${scheme}://${localAddress}:${localPort}`;
  }

  static async call(
    scope: Scope,
    endpoint: string,
    text: string,
    calling: Calling,
    secure: boolean,
  ): Promise<Talker> {
    const { from, deaf, header = [] } = calling;
    const place = parseEndpoint(endpoint) as { host: string; port: number; path?: string };
    const { host, port, path } = place;
    const local = { ...(from !== undefined && { localAddress: from }) };
    const where = path === undefined ? { host, port, ...local } : { path };
    const wire = connect({ ...where, allowHalfOpen: true });
    scope.after(() => void wire.destroy());
    let code: string | undefined;
    wire.on("error", (error: Error & { code?: string }) => code = error.code);
    const plain = secure ? undefined : new StreamClient(wire);
    if (deaf === true) wire.pause();
    try {
      await within(`a connection to ${endpoint}`, once(wire, "connect"));
    } catch (error) {
      // The server was quicker to reset it than we to hear that it had been there.
      if (code !== "ECONNRESET") throw error;
    }
    for (const piece of header.slice(0, -1)) {
      wire.setNoDelay();
      await new Promise<void>((sent) => void wire.write(piece, () => sent()));
      // What has left by itself is heard by itself, most often.
      await new Promise((soon) => setTimeout(soon, 5));
    }
    const last = header.at(-1) ?? new Uint8Array();
    let talker: Talker;
    if (plain !== undefined) {
      talker = new Talker(scope, wire, plain);
      if (last.length > 0 || text !== "") plain.send(Buffer.concat([last, Buffer.from(text)]));
    } else {
      if (last.length > 0) wire.write(last);
      const tls = secured(scope, await lead(scope, wire), calling.tls);
      talker = new Talker(scope, wire, new StreamClient(tls), tls);
      if (text !== "") talker.#peer.send(text);
    }
    if (calling.last === true) talker.#peer.end();
    return talker;
  }

  get tls(): TLSSocket | undefined {
    return this.#tls;
  }

  async startTls(line: string): Promise<void> {
    const { socket } = this.#peer;
    socket.removeAllListeners("data");
    this.#tls = secured(this.#scope, socket);
    this.#peer = new StreamClient(this.#tls);
    this.#peer.send(`${line}\n`);
    await Promise.resolve();
  }

  say(text: string): void {
    this.#wire.write(text);
  }

  get answered(): boolean {
    return this.#peer.text.endsWith("\n");
  }

  async answer(): Promise<string> {
    const peer = this.#peer;
    await peer.when("an answer", () => this.answered || peer.ended || peer.gone, PATIENCE);
    assert.ok(this.answered, `it was closed without an answer: ${peer.code}`);
    return peer.text.slice(0, -1);
  }

  async done(): Promise<string> {
    const answer = await this.answer();
    await this.#goes();
    return answer;
  }

  async refused(): Promise<void> {
    await this.#peer.over(PATIENCE);
    assert.equal(this.#peer.text, "", "it is not answered");
    await this.#goes();
  }

  async dismissed(): Promise<string> {
    await this.#peer.over(PATIENCE);
    await this.#goes();
    return this.#peer.text;
  }

  /** Ends its side, and waits until nothing is left. */
  async #goes(): Promise<void> {
    this.#peer.end();
    await this.#peer.when("the close", () => this.#peer.gone, PATIENCE);
  }

  async wasReset(): Promise<void> {
    await this.#peer.when("the close", () => this.#peer.gone || this.#peer.ended, PATIENCE);
    assert.equal(this.#peer.text, "", "it is not answered");
    if (this.name !== "unix:") assert.equal(this.#peer.code, "ECONNRESET");
  }

  leave(reset = false): void {
    if (reset) this.#wire.resetAndDestroy();
    else this.#wire.destroy();
  }
}
