/** A connection of which something was read, and put back, comes to be one of HTTP: as if nobody had looked at it. */
import assert from "node:assert/strict";
import { connect } from "node:net";
import { join } from "node:path";
import { describe, test, type TestContext } from "node:test";
import { connect as connectTls } from "node:tls";
import { loadAdapter } from "../../adapters/mod.ts";
import { makeAdapter } from "../../adapters/node/mod.ts";
import type { Adapter, Connection, StreamTable } from "../../runtime/core/contract.ts";
import { Address } from "../../runtime/core/endpoint.ts";
import type { HttpConnections } from "../../runtime/core/exchange.ts";
import { folder } from "../support/folder.ts";
import { until, within } from "../support/until.ts";
import { Client, Desk, dial, tlsFor } from "./http-desk.ts";
import { certificates } from "../support/certificates.ts";
import { concat } from "./harness.ts";

const own = await loadAdapter();
const all = new Map([own, makeAdapter()].map((adapter) => [adapter.name, adapter]));
const REMOTE = new Address("tcp", "192.0.2.1", 5, "");
const LOCAL = new Address("http", "198.51.100.1", 80, "");
const ORIGIN = { remote: REMOTE, local: LOCAL };

/** Whether a connection is taken that has said so many bytes; else that is at its end, or when the test likes. */
type When = (said: number) => boolean;
const AT_ONCE: When = () => true;
const NEVER: When = () => false;

/** A listener of streams, whose connections become ones of HTTP. */
class Front implements StreamTable {
  readonly upgrades = true;
  readonly desk = new Desk();
  requests!: HttpConnections;
  address!: Address;
  taken = 0;
  closed = 0;
  /** What has come of the only one, and has not been put back. */
  said: Uint8Array[] = [];
  connection!: Connection;
  readonly #when: When;

  constructor(when: When) {
    this.#when = when;
  }

  async start(
    t: TestContext,
    adapter: Adapter,
    transport: "tcp" | "unix",
    scheme: "http" | "https" = "http",
  ): Promise<this> {
    const place = transport === "tcp"
      ? { transport, host: "127.0.0.1", port: 0 } as const
      : { transport, path: join(folder(t, {}), "front.sock") } as const;
    this.requests = await adapter.requests(LOCAL, this.desk, await tlsFor(adapter, scheme));
    const listener = await adapter.listen(place, this, {});
    this.address = listener.address;
    t.after(async () => {
      await listener.close();
      this.requests.close();
      this.requests.abort();
    });
    return this;
  }

  /** Puts back what has come. */
  hold(): void {
    this.connection.pause();
    this.connection.unread!(concat(this.said));
    this.said = [];
  }

  take(last?: Uint8Array): void {
    this.taken++;
    this.requests.take!(this.connection, ORIGIN, last);
  }

  open(connection: Connection): void {
    this.connection = connection;
  }

  /** Nothing is kept, so that whoever is busy reads into a buffer of the adapter's. */
  data(_connection: Connection, chunk: Uint8Array): void {
    this.said.push(chunk.slice());
    if (!this.#when(concat(this.said).length)) return;
    this.hold();
    this.take();
  }

  end(): void {
    this.take(concat(this.said));
  }

  drain(): void {}

  close(): void {
    this.closed++;
  }

  failure(): void {}
}

/** Where HTTP can begin with it, and TLS before that. */
function skipOf({ features: { unreads = [] } }: Adapter, tls: boolean): string | false {
  const able = unreads.includes("http") && (!tls || unreads.includes("tls"));
  return able ? false : "it begins with what nobody has read here";
}

for (const [name, adapter] of all) {
  const skip = skipOf(adapter, false);

  for (const transport of ["tcp", "unix"] as const) {
    describe(`${name} adapter, ${transport}, read and put back, then HTTP`, { skip }, () => {
      const start = (t: TestContext, when: When) => new Front(when).start(t, adapter, transport);
      const ask = async (client: Client, ...paths: readonly string[]): Promise<void> => {
        for (const path of paths) {
          client.ask(path);
          await client.hears(`you asked for ${path}`);
        }
      };

      test("requests are answered, of the addresses that were said; the stream is told of no more", async (t) => {
        const front = await start(t, AT_ONCE);
        const client = await dial(t, front.address);
        await ask(client, "/one", "/two");
        client.ask("/body", "x".repeat(300_000));
        await client.hears("x".repeat(300_000));
        const { desk } = front;
        await until("three ends", () => desk.closed.length === 3);
        assert.deepEqual(desk.remotes, Array(3).fill(String(REMOTE)));
        assert.deepEqual(desk.locals, Array(3).fill(String(LOCAL)));
        client.leave();
        await until("the end of it", () => client.gone);
        assert.deepEqual([front.taken, front.closed], [1, 0]);
      });

      test("torn at every byte of the head, and read byte by byte", async (t) => {
        const head = "GET /one HTTP/1.1\r\nHost: a\r\n\r\n";
        for (let length = 1; length <= head.length; length++) {
          const front = await start(t, (said) => said >= length);
          const client = await dial(t, front.address);
          // Those of the first sixteen each in a chunk of its own.
          for (let at = 0; at < length; at++) {
            client.say(head[at]!);
            const heard = (): number => concat(front.said).length;
            if (at < 16) await until("it", () => front.taken > 0 || heard() > at);
          }
          await until("it to be taken", () => front.taken === 1);
          client.say(head.slice(length));
          await client.hears("you asked for /one");
          await ask(client, "/two");
        }
      });

      test("taken later, with what has come meanwhile behind what was put back", async (t) => {
        const front = await start(t, NEVER);
        const client = await dial(t, front.address);
        const body = "y".repeat(300_000);
        const head = `POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n`;
        client.say(head.slice(0, 9));
        await until("what comes first", () => front.said.length > 0);
        front.hold();
        client.say(head.slice(9) + body);
        for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setImmediate(resolve));
        front.take();
        await client.hears(body);
        await ask(client, "/two");
      });

      test("what has come with the end of the peer is answered; or is no request, and the connection ends", async (t) => {
        for (const said of ["GET /one HTTP/1.0\r\n\r\n", "GET /one HT", ""]) {
          const front = await start(t, NEVER);
          const client = await dial(t, front.address);
          if (said !== "") client.say(said);
          client.end();
          if (said.endsWith("\n")) await client.hears("you asked for /one");
          await until("the end", () => client.gone);
          assert.equal(front.taken, 1);
          const asked = said.endsWith("\n") ? 1 : 0;
          await until("the end of the request", () => front.desk.closed.length === asked);
        }
      });

      test("after close idle ones end, others when they are answered, and nobody is taken any more", async (t) => {
        const front = await start(t, AT_ONCE);
        const idle = await dial(t, front.address);
        await ask(idle, "/one");
        const busy = await dial(t, front.address);
        busy.ask("/wait");
        await until("the request", () => front.desk.waiting === 1);
        front.requests.close();
        await until("the end of the idle one", () => idle.gone);
        const late = await dial(t, front.address);
        late.ask("/late");
        await until("the end of the late one", () => late.gone);
        assert.equal(late.text, "");
        front.desk.letGo();
        await busy.hears("let go");
        await until("the end of the busy one", () => busy.gone);
        await within("over", front.requests.over);
      });

      test("a peer that leaves before the answer is told of, once", async (t) => {
        const front = await start(t, AT_ONCE);
        const client = await dial(t, front.address);
        client.ask("/wait");
        await until("the request", () => front.desk.waiting === 1);
        client.leave();
        await until("the end", () => front.desk.closed.length === 1);
        front.desk.letGo();
        assert.deepEqual(front.desk.closed, [{ path: "/wait", gone: true }]);
      });
    });
  }

  describe(
    `${name} adapter, read and put back, then HTTPS`,
    { skip: skipOf(adapter, true) },
    () => {
      for (const when of [AT_ONCE, NEVER]) {
        test(`a handshake begins with it, ${when === AT_ONCE ? "at once" : "later"}`, async (t) => {
          const front = await new Front(when).start(t, adapter, "tcp", "https");
          const { host, port } = front.address;
          const socket = connectTls({ host, port, ca: certificates().cert("ca") });
          t.after(() => void socket.destroy());
          const client = new Client(socket);
          client.ask("/one");
          if (when === NEVER) {
            await until("what comes first", () => front.said.length > 0);
            front.hold();
            for (let i = 0; i < 10; i++) await new Promise((resolve) => setImmediate(resolve));
            front.take();
          }
          await client.hears("you asked for /one");
          client.ask("/body", "x".repeat(100_000));
          await client.hears("x".repeat(100_000));
          assert.deepEqual(front.desk.remotes, Array(2).fill(String(REMOTE)));
          assert.deepEqual([front.taken, front.closed], [1, 0]);
        });
      }

      test("what ends before it is a handshake is closed", async (t) => {
        for (const when of [AT_ONCE, NEVER]) {
          const front = await new Front(when).start(t, adapter, "tcp", "https");
          const { host, port } = front.address;
          const socket = connect(port, host);
          t.after(() => void socket.destroy());
          const client = new Client(socket);
          socket.end(Uint8Array.of(0x16, 3, 1, 1, 0, 1));
          await until("the end", () => client.gone);
          assert.deepEqual([front.taken, front.desk.closed], [1, []]);
        }
      });
    },
  );
}
