/** Peers who are told apart by the chunks of their connections: torn anywhere, while they wait for their turn, until their end. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Admission } from "../../runtime/core/admission/admission.ts";
import type { Candidate, Refusal } from "../../runtime/core/admission/candidate.ts";
import type { Connection, StreamTable } from "../../runtime/core/contract.ts";
import { PorticoError } from "../../runtime/core/errors.ts";
import type { MatchCondition } from "../../runtime/core/prologue/match-plan.ts";
import type { Service } from "../../runtime/core/service.ts";
import { Totals } from "../../runtime/core/totals.ts";
import { Crossroads } from "../../runtime/matching/crossroads.ts";
import { HeldPeers } from "../../runtime/matching/held.ts";
import type { HeldConnection } from "../../runtime/services/held-connection.ts";
import { Reception } from "../../runtime/services/reception.ts";
import { BALANCER, Inner, OURS } from "../support/inner-connection.ts";
import { StillClock } from "../support/still-clock.ts";

const OPEN = `open ${BALANCER} ${OURS}`;
const SSH: MatchCondition = { kind: "ssh" };
const REST: MatchCondition = { kind: "otherwise" };
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

interface Wishes {
  readonly conditions?: readonly MatchCondition[];
  readonly opened?: (one: Connection) => void;
  /** Somebody comes: the answer of the admission; granted at once when silent. */
  readonly granted?: boolean | Refusal;
  /** The service that is led to runs. */
  readonly runs?: boolean;
  /** What it does with who is led to it, in the place of being told. */
  readonly take?: (held: HeldConnection) => void | Promise<void>;
}

/** One that takes back what it has told, as runtimes do: not once its end has come. */
class Returning extends Inner {
  readonly back: string[] = [];
  #ended = false;

  unread(bytes: Uint8Array): void {
    assert.ok(this.paused && !this.#ended);
    this.back.push(String(Buffer.from(bytes)));
  }

  override ends(): void {
    this.#ended = true;
    super.ends();
  }
}

/** A front with one service behind, which writes down what it is told. */
class Behind {
  readonly clock = new StillClock();
  readonly refusals: Refusal[] = [];
  readonly told: string[] = [];
  readonly totals = new Totals();
  readonly crossroads: Crossroads;
  readonly reception: Reception;
  readonly #table: StreamTable;
  connection!: Connection;
  candidate!: Candidate;
  released = 0;
  served = 0;
  /** The receiver when there is another one than {@link reception}; null: there is none. */
  receiver: Reception | null | undefined = undefined;

  constructor({ conditions = [SSH], opened, granted = true, runs = true, take }: Wishes = {}) {
    const service = {
      clock: this.clock,
      level: "info",
      nextId: () => 1,
      totals: this.totals,
      countRefusal: (why: Refusal) => void this.refusals.push(why),
      countServed: () => void this.served++,
      report: () => {},
      resets: () => false,
      log: { wants: () => false },
    } as unknown as Service;
    const streams: StreamTable = {
      open: (connection) => {
        this.connection = connection;
        connection.data = this;
        this.told.push(`open ${connection.remote} ${connection.local}`);
        opened?.(connection);
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
    const executor = {
      takes: () => true,
      take: take ?? ((held: HeldConnection) => void held.open(streams)),
      adopt: () => assert.fail("nothing comes by descriptor"),
    };
    const admission = { close: () => void this.told.push("closed to newcomers") };
    const host = { receiver: () => this.receiver ?? undefined };
    this.reception = new Reception({ name: "a" }, executor, host, admission);
    if (runs) this.reception.follow("running");
    const routes = conditions.map((when) => ({ when, text: when.kind, service: "a", tls: false }));
    this.crossroads = new Crossroads(
      { routes, wait: 3000 },
      service,
      () => this.receiver === null ? undefined : this.receiver ?? this.reception,
      undefined,
    );
    const permit = { stage: 1, granted: granted === true, release: () => void this.released++ };
    const front = {
      admit: (candidate: Candidate) => {
        this.candidate = candidate;
        return typeof granted === "object" ? granted : permit;
      },
    };
    this.grant = () => {
      permit.granted = true;
      this.candidate.admitted();
    };
    this.#table =
      new HeldPeers(this.crossroads, service, front as unknown as Admission, false, false).table;
  }

  /** The turn has come of who waits for it. */
  readonly grant: () => void;

  inner(): Inner {
    return new Inner(this.#table);
  }

  returning(): Returning {
    return new Returning(this.#table);
  }

  /** What was told since the last time. */
  take(): string[] {
    return this.told.splice(0);
  }
}

test("who says enough is opened with all that it has said, torn at every byte", () => {
  const said = "SSH-2.0-x";
  for (let at = 0; at <= said.length; at++) {
    const behind = new Behind();
    const inner = behind.inner();
    if (at > 0) inner.say(said.slice(0, at));
    assert.deepEqual(behind.take(), at >= 4 ? [OPEN, said.slice(0, at)] : []);
    inner.say(`${said.slice(at)}!`);
    const first = at >= 4 ? `${said.slice(at)}!` : `${said}!`;
    assert.deepEqual(behind.take(), at >= 4 ? [first] : [OPEN, first]);
    behind.connection.write(new TextEncoder().encode("answer"));
    inner.say("more").ends();
    inner.closes();
    assert.deepEqual(behind.take(), ["more", "end", "close "]);
    assert.deepEqual([inner.sent, behind.refusals], [["answer"], []]);
    assert.deepEqual([behind.served, behind.released], [1, 1]);
    assert.equal(behind.totals.route("ssh", "a").count, 1);
  }
});

test("byte by byte; and no more is looked at than there is to be", () => {
  const behind = new Behind();
  const inner = behind.inner();
  for (const byte of "SSH-") inner.say(byte);
  assert.deepEqual(behind.take(), [OPEN, "SSH-"]);
  const long: MatchCondition = { kind: "prefix", prefixes: ["61".repeat(20_000)] };
  const much = new Behind({ conditions: [long, REST] });
  much.inner().say("a".repeat(100)).say("a".repeat(19_900));
  assert.deepEqual(much.take().map((text) => text.length), [OPEN.length, 20_000]);
  assert.equal(much.totals.route("otherwise", "a").count, 1);
});

test("who has said all, or is silent for long enough, is whoever it can be for certain", () => {
  const behind = new Behind({ conditions: [SSH, REST] });
  behind.inner().say("SS").ends();
  assert.deepEqual(behind.take(), [OPEN, "SS", "end"]);
  behind.inner().ends();
  assert.deepEqual(behind.take(), [OPEN, "end"]);
  const silent = behind.inner();
  const slow = behind.inner().say("S");
  behind.clock.move(2999);
  assert.deepEqual(behind.take(), []);
  behind.clock.move(2);
  assert.deepEqual(behind.take(), [OPEN, OPEN, "S"]);
  silent.say("now");
  slow.say("SH");
  assert.deepEqual(behind.take(), ["now", "SH"]);
  assert.deepEqual([behind.refusals, behind.served, behind.released], [[], 4, 4]);
});

test("one that is reset is told of with what it has said; or refused, where that is nobody's", () => {
  const behind = new Behind({ conditions: [SSH, REST] });
  behind.inner().say("SS").closes(new PorticoError("ECONNRESET"));
  assert.deepEqual(behind.take(), [OPEN, "SS", "close ECONNRESET"]);
  behind.inner().closes(new PorticoError("ECONNRESET"));
  assert.deepEqual([behind.take(), behind.refusals], [[], [{ rule: "match" }]]);
  const strict = new Behind();
  for (const said of ["", "SS"]) {
    const inner = strict.inner();
    if (said !== "") inner.say(said);
    inner.closes(new PorticoError("ECONNRESET"));
  }
  assert.deepEqual([strict.take(), strict.refusals.length, strict.released], [[], 2, 2]);
});

test("who is nobody's is refused, and nothing more is heard of it", () => {
  for (const last of ["say", "ends", "late"] as const) {
    const behind = new Behind();
    const inner = behind.inner();
    if (last === "say") inner.say("GET /");
    else if (last === "ends") inner.say("SS").ends();
    else behind.clock.move(3001);
    assert.ok(inner.aborted);
    inner.closes();
    assert.deepEqual([behind.refusals, behind.take()], [[{ rule: "match" }], []]);
    assert.equal(behind.released, 1);
    assert.equal(behind.clock.timers, last === "late" ? 0 : 1);
  }
});

test("who has to wait for its turn is not read, and not looked at, until that comes", () => {
  const behind = new Behind({ granted: false });
  const inner = behind.inner();
  assert.ok(inner.paused);
  behind.clock.move(60_000);
  behind.grant();
  assert.ok(!inner.paused);
  behind.clock.move(2999);
  inner.say("SSH-");
  assert.deepEqual(behind.take(), [OPEN, "SSH-"]);
  const gone = new Behind({ granted: false });
  gone.inner().closes(new PorticoError("ECONNRESET"));
  assert.deepEqual([gone.refusals, gone.released], [[], 1]);
  const late = new Behind({ granted: false });
  const waits = late.inner();
  late.candidate.refused({ limit: "hold" });
  assert.ok(waits.aborted);
  assert.deepEqual([late.refusals, late.released], [[{ limit: "hold" }], 1]);
  const full = new Behind({ granted: { limit: "sessions" } });
  assert.ok(full.inner().aborted);
  assert.deepEqual(full.refusals, [{ limit: "sessions" }]);
});

test("more than are waited for are refused; when the service stops, all who wait are", () => {
  const behind = new Behind();
  for (let i = 0; i < 4096; i++) behind.inner();
  assert.deepEqual(behind.refusals, []);
  const last = behind.inner();
  assert.ok(last.aborted);
  assert.deepEqual(behind.refusals, [{ limit: "waiting" }]);
  behind.crossroads.close();
  assert.equal(behind.refusals.length, 4097);
  assert.deepEqual(behind.refusals.at(-1), { limit: "drain" });
  assert.equal(behind.clock.timers, 0);
});

test("while a service accepts nobody, who is led to it waits, unread, and is opened later with all that it has said", async () => {
  const behind = new Behind({ runs: false, conditions: [SSH, REST] });
  const inner = behind.inner().say("SSH-1");
  assert.ok(inner.paused);
  const ended = behind.inner().say("SS");
  ended.ends();
  const reset = behind.inner().say("SSH-3");
  reset.closes(new PorticoError("ECONNRESET"));
  assert.deepEqual([behind.take(), behind.served, behind.released], [[], 3, 3]);
  behind.reception.follow("running");
  assert.deepEqual(behind.take(), [
    ...[OPEN, "SSH-1"],
    ...[OPEN, "SS", "end"],
    ...[OPEN, "SSH-3", "close ECONNRESET"],
  ]);
  assert.ok(!inner.paused && !ended.paused);
  await turn();
  inner.say("more");
  assert.deepEqual(behind.take(), ["more"]);
});

test("while it waits for a service it is put back what it has said, unless its end has come", () => {
  const behind = new Behind({ runs: false, conditions: [SSH, REST] });
  const inner = behind.returning();
  inner.say("SSH-1");
  const ended = behind.returning();
  ended.say("SS").ends();
  assert.deepEqual([inner.back, ended.back], [["SSH-1"], []]);
  behind.reception.follow("running");
  assert.deepEqual(behind.take(), [OPEN, OPEN, "SS", "end"]);
  assert.ok(!inner.paused);
});

test("whoever serves the adapter's own connection has it with all that was said, and nobody else hears of it", async () => {
  const held: HeldConnection[] = [];
  const { promise, resolve } = Promise.withResolvers<void>();
  const take = (one: HeldConnection): Promise<void> => {
    held.push(one);
    return promise;
  };
  const behind = new Behind({ conditions: [SSH, REST], take });
  const [inner, ended] = [behind.returning(), behind.returning()];
  inner.say("SS").say("H-1");
  ended.say("SS").ends();
  assert.deepEqual(held.map(({ last }) => last && String(Buffer.from(last))), [undefined, "SS"]);
  assert.deepEqual(held.map((one) => one.release()), [inner, ended]);
  assert.deepEqual([inner.back, ended.back, inner.paused], [["SSH-1"], [], true]);
  inner.closes();
  assert.deepEqual([behind.take(), behind.served, behind.released], [[], 2, 2]);
  // What is not done yet is waited for at the end.
  let over = false;
  const end = behind.reception.end(false, undefined).then(() => over = true);
  await turn();
  assert.ok(!over);
  resolve();
  await end;
});

test("who waits for a service that is replaced goes to the next one, if that can take it; else it is served still", async () => {
  const next = new Behind();
  const able = new Behind({ runs: false });
  able.inner().say("SSH-1");
  able.receiver = next.reception;
  await able.reception.end(true, undefined);
  assert.deepEqual([able.take(), next.take()], [[], [OPEN, "SSH-1"]]);
  const none = { adopt: () => assert.fail("it was read") };
  const unable = new Behind({ runs: false });
  unable.inner().say("SSH-2");
  const host = { receiver: () => undefined };
  unable.receiver = new Reception({ name: "a" }, none, host, { close() {} });
  unable.receiver.follow("running");
  await unable.reception.end(true, undefined);
  assert.deepEqual(unable.take(), [OPEN, "SSH-2"]);
  const one = {} as HeldConnection;
  assert.ok(!unable.receiver.receive(one));
});

test("a service that does not run, or takes descriptors alone, has nobody", () => {
  const behind = new Behind();
  behind.receiver = null;
  assert.ok(behind.inner().say("SSH-").aborted);
  const host = { receiver: () => undefined };
  const adopt = (): never => assert.fail("it was read");
  behind.receiver = new Reception({ name: "a" }, { adopt }, host, { close() {} });
  assert.ok(behind.inner().say("SSH-").aborted);
  assert.deepEqual(behind.refusals, [{ rule: "match" }, { rule: "match" }]);
  assert.deepEqual([behind.served, behind.released], [0, 2]);
});

test("what it has said waits, as its session does; one that is refused there is told nothing more", async () => {
  const behind = new Behind({ opened: (connection) => connection.pause() });
  const inner = behind.inner().say("SSH-1");
  assert.ok(inner.paused);
  assert.deepEqual(behind.take(), [OPEN]);
  behind.connection.resume();
  assert.deepEqual(behind.take(), [], "no callback runs inside a verb");
  await turn();
  assert.deepEqual([behind.take(), inner.paused], [["SSH-1"], false]);
  const refused = new Behind({ opened: (connection) => connection.abort() });
  const other = refused.inner().say("SSH-1");
  assert.ok(other.aborted);
  other.closes();
  assert.deepEqual(refused.take(), [OPEN, "close "]);
});
