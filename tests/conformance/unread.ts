/** What was read is put back: it is told again, to whoever reads next. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import type { Support } from "../../runtime/core/contract.ts";
import { until, within } from "../support/until.ts";
import { assertBytes, concat, type Harness, pattern, text } from "./harness.ts";
import type { Behaviour, Tapped } from "./recorder.ts";
import { ECHO, serverOptions } from "./secured.ts";
import { both, type Case, programs, type Stage } from "./stage.ts";

const can = ({ adapter }: Harness): Support =>
  adapter.features.unreads === undefined ? { reason: "this adapter puts nothing back" } : true;

const secures = (harness: Harness): Support => both(programs("openssl")(harness), can(harness));

/** Puts a chunk back, inside its callback. */
function putBack(tapped: Tapped, chunk: Uint8Array): true {
  tapped.pause();
  tapped.connection.unread!(chunk);
  return true;
}

const clear: readonly Case[] = [1, 2].map((times) => ({
  name: `unread, ${
    times === 1 ? "once" : "twice"
  }: it is told again before what follows, and the end`,
  needs: can,
  async run(stage) {
    const heard: Uint8Array[] = [];
    let back = 0;
    const { peer, connection } = await stage.pair({
      data(tapped, chunk) {
        if (back < times) {
          back++;
          return putBack(tapped, chunk);
        }
        heard.push(chunk.slice());
      },
      end: (tapped) => tapped.end(),
    });
    const sent = pattern(50_000);
    peer.write(sent.subarray(0, 10));
    await until("the first chunk", () => back === 1);
    peer.write(sent.subarray(10));
    peer.end();
    await stage.settle();
    assert.deepEqual([heard, connection.events], [[], ["open", "data"]]);
    for (let told = 1; told <= times; told++) {
      connection.resume();
      if (told < times) await until("it again", () => back > told);
    }
    await until("the close", () => connection.closed);
    assertBytes(concat(heard), sent, "what came");
    assert.deepEqual(connection.events, ["open", "data", "end", "close"]);
  },
}));

const stopped: Case = {
  name: "unread: nobody is told of it who has stopped again in the turn of the resume",
  needs: can,
  async run(stage) {
    let back = false;
    const { peer, connection } = await stage.pair({
      data: (tapped, chunk) => !back && (back = putBack(tapped, chunk)),
      end: (tapped) => tapped.end(),
    });
    peer.write(pattern(10));
    peer.end();
    await until("the first chunk", () => back);
    connection.resume();
    connection.pause();
    await stage.settle();
    assert.deepEqual([connection.received, connection.events], [10, ["open", "data"]]);
    connection.resume();
    await until("the close", () => connection.closed);
    assert.deepEqual([connection.received, connection.events.slice(2)], [20, ["end", "close"]]);
  },
};

/** Stands between, and keeps back what follows the first `length` bytes until `more`. */
class Relay {
  readonly #server = createServer((near) => this.#relay(near)).listen(0, "127.0.0.1");
  readonly #sockets: Socket[] = [];
  readonly #to: number;
  readonly #length: number;
  first: Uint8Array | undefined = undefined;
  more: () => void = () => {};

  constructor(to: number, length: number) {
    this.#to = to;
    this.#length = length;
  }

  async start(): Promise<number> {
    await once(this.#server, "listening");
    return (this.#server.address() as { port: number }).port;
  }

  #relay(near: Socket): void {
    const far = connect({ port: this.#to, host: "127.0.0.1", noDelay: true });
    for (const socket of [near, far]) this.#sockets.push(socket.on("error", () => {}));
    far.pipe(near);
    near.once("data", (chunk: Uint8Array) => {
      near.pause();
      this.first = chunk;
      far.write(chunk.subarray(0, this.#length));
      this.more = () => {
        if (chunk.length > this.#length) far.write(chunk.subarray(this.#length));
        near.pipe(far);
      };
    });
  }

  close(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }
}

type When = "at once" | "later";

/** A server that secures what it has put back. */
async function server(stage: Stage, when: When, behaviour: Behaviour = ECHO) {
  const context = (await stage.adapter.tls!()).server(serverOptions());
  let held = 0;
  let go = (): void => {};
  const recorder = await stage.listen({
    ...behaviour,
    data(tapped, chunk) {
      if (tapped.events.includes("secured")) return behaviour.data?.(tapped, chunk);
      held++;
      putBack(tapped, chunk);
      go = () => tapped.secure(context);
      if (when === "at once") go();
      return true;
    },
  });
  return { recorder, go: () => go(), held: () => held };
}

/** A handshake, of which so many bytes come first. @returns how many the first chunk of the client had. */
async function shake(stage: Stage, when: When, length: number): Promise<number> {
  const { recorder, go, held } = await server(stage, when);
  const relay = new Relay(recorder.listener.address.port, length);
  try {
    const port = await relay.start();
    const socket = connectTls({ port, host: "127.0.0.1", rejectUnauthorized: false });
    socket.on("error", () => {});
    // Of what comes whole the handshake may be over before anybody has seen that it came.
    const shaken = once(socket, "secureConnect");
    let said = "";
    socket.on("data", (chunk: Uint8Array) => said += text(chunk));
    await until("what comes first", () => held() === 1);
    // What comes before the handshake has begun is the handshake's, too.
    if (when === "later") {
      relay.more();
      await stage.settle();
      go();
    } else relay.more();
    await within("a handshake", shaken);
    socket.write("hello");
    await until("the echo", () => said === "hello");
    socket.end();
    const [tapped] = recorder.connections;
    await until("the close", () => tapped!.closed);
    assert.equal(tapped!.error, undefined);
    return relay.first!.length;
  } finally {
    relay.close();
  }
}

/** The bytes of a ClientHello's record, one after the other: its head, and some of what follows. */
const BYTES = [...Array(12).keys()].map((index) => index + 1);

const handshakes: readonly Case[] = [
  ...(["at once", "later"] as const).map((when) => ({
    name: `unread, then TLS ${when}: the handshake begins with it, torn anywhere`,
    only: "tcp" as const,
    needs: secures,
    async run(stage: Stage) {
      const whole = await shake(stage, when, 1 << 16);
      const further = [...Array(8).keys()].map((index) => 13 + index * ((whole - 14) >> 3));
      const all = when === "at once" ? [...BYTES, ...further, whole - 1] : [1, 5, whole - 1];
      for (const length of all) await shake(stage, when, length);
    },
  })),
  {
    name: "unread, then TLS: an end that came meanwhile fails the handshake",
    only: "tcp",
    needs: secures,
    async run(stage) {
      for (const when of ["at once", "later"] as const) {
        const { recorder, go, held } = await server(stage, when);
        const socket = connect({ port: recorder.listener.address.port, host: "127.0.0.1" });
        socket.on("error", () => {});
        socket.end(Uint8Array.of(0x16, 3, 1, 1, 0, 1));
        await until("what comes first", () => held() === 1);
        await stage.settle();
        if (when === "later") go();
        const [tapped] = recorder.connections;
        await until("the close", () => tapped!.closed);
        assert.equal(tapped!.error?.code, "TLS_FAILED");
        socket.destroy();
      }
    },
  },
];

/** Of {@link Connection.unread}. */
export const unread: readonly Case[] = [...clear, stopped, ...handshakes];
