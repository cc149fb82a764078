/** Headers that are read of the chunks of a connection: torn anywhere, while it waits for its turn, until its end. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Refusal } from "../../runtime/core/admission/candidate.ts";
import type { Connection, StreamTable } from "../../runtime/core/contract.ts";
import { Address } from "../../runtime/core/endpoint.ts";
import { PorticoError } from "../../runtime/core/errors.ts";
import type { ProxyProtocolPlan } from "../../runtime/core/plan.ts";
import {
  writeProxyVersion1,
  writeProxyVersion2,
} from "../../runtime/core/prologue/write-proxy-header.ts";
import type { Service } from "../../runtime/core/service.ts";
import { ProxyStreams } from "../../runtime/services/proxy-streams.ts";
import { BALANCER, Inner, OURS } from "../support/inner-connection.ts";
import { StillClock } from "../support/still-clock.ts";

const PEER = new Address("tcp", "192.0.2.7", 50000, "");
const HERE = new Address("tcp", "198.51.100.1", 443, "");
const HEADERS = {
  "version 1": writeProxyVersion1(PEER, HERE),
  "version 2": writeProxyVersion2(PEER, HERE, { alpn: "h2" }, true),
};
const FROM = { subject: "10.0.0.1", text: "10.0.0.1", action: "allow" } as const;

/** What stands behind: it does at the opening what a test wants, and writes down what it is told. */
class Behind {
  readonly clock = new StillClock();
  readonly refusals: Refusal[] = [];
  readonly told: string[] = [];
  readonly streams: ProxyStreams;
  connection!: Connection;

  constructor(plan: Partial<ProxyProtocolPlan> = {}, opened: (one: Connection) => void = () => {}) {
    const service = {
      clock: this.clock,
      level: "info",
      nextId: () => 1,
      countRefusal: (why: Refusal) => void this.refusals.push(why),
      log: { wants: () => false },
    };
    const table: StreamTable = {
      open: (connection) => {
        this.connection = connection;
        connection.data = this;
        const { remote, local } = connection;
        this.told.push(`open ${remote} ${local}`);
        opened(connection);
      },
      data: (connection, chunk) => {
        assert.equal(connection.data, this);
        this.told.push(String(Buffer.from(chunk)));
      },
      end: () => void this.told.push("end"),
      drain: () => void this.told.push("drain"),
      close: (_, error) => void this.told.push(`close ${error?.code ?? ""}`),
      failure: () => {},
    };
    const whole: ProxyProtocolPlan = { from: [FROM], mode: "require", wait: 3000, ...plan };
    this.streams = new ProxyStreams(whole, service as unknown as Service, table);
  }

  inner(remote?: Address): Inner {
    return new Inner(this.streams.table, remote);
  }

  /** What was told since the last time. */
  take(): string[] {
    return this.told.splice(0);
  }
}

const OPEN = `open ${PEER} ${HERE}`;
const ITSELF = `open ${BALANCER} ${OURS}`;
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

for (const [name, header] of Object.entries(HEADERS)) {
  describe(`a header of ${name} in the chunks of a connection`, () => {
    test("is taken off, torn at every byte", () => {
      for (let at = 0; at <= header.length; at++) {
        const behind = new Behind();
        const inner = behind.inner();
        if (at > 0) inner.say(header.subarray(0, at));
        assert.deepEqual(behind.take(), at === header.length ? [OPEN] : []);
        inner.say(Buffer.concat([header.subarray(at), Buffer.from("hello")]));
        assert.deepEqual(behind.take(), at === header.length ? ["hello"] : [OPEN, "hello"]);
        inner.say("more");
        behind.connection.write(new TextEncoder().encode("answer"));
        assert.deepEqual(inner.sent, ["answer"]);
        inner.ends();
        inner.closes();
        assert.deepEqual(behind.take(), ["more", "end", "close "]);
        assert.deepEqual(behind.refusals, []);
      }
    });

    test("byte by byte", () => {
      const behind = new Behind();
      const inner = behind.inner();
      for (const byte of header) inner.say(Uint8Array.of(byte));
      assert.deepEqual(behind.take(), [OPEN]);
    });
  });
}

const whole = Buffer.concat([HEADERS["version 2"], Buffer.from("hello")]);

test("what follows a header waits, as the session does, and comes before what is read later", async () => {
  const behind = new Behind({}, (connection) => connection.pause());
  const inner = behind.inner().say(whole);
  assert.ok(inner.paused);
  await turn();
  assert.deepEqual(behind.take(), [OPEN]);
  behind.connection.resume();
  assert.deepEqual(behind.take(), [], "no callback runs inside a verb");
  assert.ok(inner.paused, "nothing is read before what is held has been told");
  await turn();
  assert.deepEqual(behind.take(), ["hello"]);
  inner.say("more");
  assert.deepEqual(behind.take(), ["more"]);
});

test("it may be paused again before it is told, and is told once", async () => {
  const behind = new Behind({}, (connection) => connection.pause());
  const inner = behind.inner().say(whole);
  behind.connection.resume();
  behind.connection.pause();
  await turn();
  assert.deepEqual(behind.take(), [OPEN]);
  behind.connection.resume();
  behind.connection.resume();
  await turn();
  assert.deepEqual(behind.take(), ["hello"]);
  assert.ok(!inner.paused);
});

test("paused and resumed while it is opened, it is told at once", async () => {
  const behind = new Behind({}, (connection) => {
    connection.pause();
    connection.resume();
  });
  const inner = behind.inner().say(whole);
  assert.deepEqual(behind.take(), [OPEN, "hello"]);
  await turn();
  assert.deepEqual(behind.take(), []);
  assert.ok(!inner.paused);
});

test("one that is refused when it is opened is told nothing more; nor is one that closes while it waits", async () => {
  const refused = new Behind({}, (connection) => connection.abort());
  refused.inner().say(whole);
  assert.deepEqual(refused.take(), [OPEN]);
  const gone = new Behind({}, (connection) => connection.pause());
  const inner = gone.inner().say(whole);
  gone.connection.resume();
  inner.closes(new PorticoError("ECONNRESET"));
  await turn();
  assert.deepEqual(gone.take(), [OPEN, "close ECONNRESET"]);
});

test("who ends, is reset or is silent before its header is refused, once", () => {
  const message = { limit: "proxyProtocol" } as const;
  for (const end of ["ends", "closes"] as const) {
    const behind = new Behind();
    const inner = behind.inner().say(whole.subarray(0, 20));
    inner[end]();
    inner.closes();
    assert.deepEqual([behind.refusals, behind.take()], [[message], []]);
  }
  const behind = new Behind();
  const inner = behind.inner();
  const second = behind.inner().say(whole.subarray(0, 20));
  behind.clock.move(2999);
  assert.equal(behind.refusals.length, 0);
  behind.clock.move(2);
  assert.deepEqual(behind.refusals, [message, message]);
  assert.ok(inner.aborted && second.aborted);
  behind.inner();
  behind.streams.close();
  assert.deepEqual(behind.refusals.at(-1), { limit: "drain" });
});

test("who may not say it is refused: at once, or with accept when it does", () => {
  const other = new Address("tcp", "10.0.0.2", 1, "");
  const strict = new Behind();
  assert.ok(strict.inner(other).aborted);
  assert.deepEqual(strict.refusals, [{ rule: "proxyProtocol" }]);
  const behind = new Behind({ mode: "accept" });
  assert.ok(behind.inner(other).say(whole).aborted);
  assert.deepEqual(behind.refusals, [{ rule: "proxyProtocol" }]);
  assert.deepEqual(behind.take(), []);
});

test("with accept, who sends none is itself: with what it says, when it ends, when it is silent", () => {
  const behind = new Behind({ mode: "accept" });
  behind.inner().say("GET /");
  assert.deepEqual(behind.take(), [ITSELF, "GET /"]);
  behind.inner().ends();
  assert.deepEqual(behind.take(), [ITSELF, "end"]);
  const silent = behind.inner();
  behind.clock.move(3001);
  assert.deepEqual(behind.take(), [ITSELF]);
  silent.say("late");
  assert.deepEqual(behind.take(), ["late"]);
  behind.inner().say(writeProxyVersion2(undefined, undefined));
  assert.deepEqual(behind.take(), [ITSELF]);
  assert.deepEqual(behind.refusals, []);
});

test("more than are waited for are refused", () => {
  const behind = new Behind();
  for (let i = 0; i < 4096; i++) behind.inner();
  assert.deepEqual(behind.refusals, []);
  behind.inner();
  assert.deepEqual(behind.refusals, [{ limit: "hold" }]);
  behind.streams.close();
});
