/** Somebody who comes from an address of this machine and speaks first: how it is served tells what it was taken for. */
import assert from "node:assert/strict";
import { createConnection, type Socket } from "node:net";
import { parseEndpoint } from "../../runtime/core/endpoint.ts";
import { Observable } from "./observable.ts";
import type { Scope } from "./scope.ts";

export class Peer extends Observable {
  readonly socket: Socket;
  text = "";
  gone = false;

  constructor(scope: Scope, endpoint: string, from: string = "127.0.0.1") {
    super();
    const to = parseEndpoint(endpoint);
    this.socket = "port" in to
      ? createConnection({ host: "127.0.0.1", port: to.port, localAddress: from, noDelay: true })
      : createConnection({ path: "path" in to ? to.path : "" });
    this.socket.setEncoding("utf8").on("data", (text: string) => {
      this.text += text;
      this.changed();
    });
    this.socket.on("error", () => {});
    this.socket.on("close", () => {
      this.gone = true;
      this.changed();
    });
    scope.after(() => void this.socket.destroy());
  }

  protected summary(): string {
    return `${JSON.stringify(this.text)}${this.gone ? ", gone" : ""}`;
  }

  say(what: Uint8Array | string): this {
    this.socket.write(what);
    return this;
  }

  async hears(what: string): Promise<void> {
    await this.when(JSON.stringify(what), () => this.text.includes(what));
  }

  /** Is served by the service of this name, and what was said is the first that this hears. */
  async served(name: string, said: string): Promise<void> {
    await this.hears(`${name} `);
    await this.hears(`\n${said}`);
    this.socket.destroy();
  }

  /** Is turned away without a byte. */
  async refused(): Promise<void> {
    await this.when("to be refused", () => this.gone);
    assert.equal(this.text, "");
  }
}
