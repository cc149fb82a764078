/** The syslog sink against a real rsyslogd: Unix datagrams, UDP, TCP and TLS, and a server that goes away. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { checkSink, openSinks } from "../../runtime/sinks/mod.ts";
import type { LogRecord, Sink } from "../../runtime/core/record.ts";
import { escape } from "../../runtime/sinks/invisible.ts";
import { describeRecord as words } from "../../runtime/sinks/words.ts";
import { adapter, lackingTransport } from "../support/adapter.ts";
import { lackingPrograms } from "../support/packages.ts";
import { lackingRsyslogTls, Rsyslogd, type Stored } from "../support/rsyslogd.ts";
import { Shared } from "../support/scope.ts";
import { until, within } from "../support/until.ts";

const MANY = 10_000;
const FEW = 2000;
const TIME = Date.UTC(2026, 10, 20, 12);

const TEXTS: readonly string[] = [
  "plain",
  "quotes \" and ' and brackets ] [ and a backslash \\",
  "two\nlines\r\nand a forged one\n<13>1 - - - - - - forged",
  "a NUL \0 and an escape \x1b[2J",
  "é 漢字 😀",
  '12 <13>[x y="z"]] %rawmsg% #012',
  "a long text ".repeat(683),
];

const texts = (n: number): string =>
  n % 100 === 99 ? TEXTS.at(-1)! : TEXTS[n % (TEXTS.length - 1)]!;

function recordOf(n: number): LogRecord {
  return {
    time: TIME + n,
    level: (["debug", "info", "warn", "error"] as const)[n % 4]!,
    event: "log",
    service: "shop",
    session: n,
    text: texts(n),
    n,
    "a key": texts(n + 1).slice(0, 60),
  };
}

/** Opens a sink as a manifest does. */
async function open(
  options: Record<string, unknown>,
  warnings: { push(text: string): void } = [],
): Promise<Sink> {
  const check = checkSink({ type: "syslog", options: { maxSize: 65507, ...options } });
  assert.ok("options" in check, JSON.stringify(check));
  const host = { adapter, warn: (text: string) => void warnings.push(text) };
  const plan = { name: "audit", type: "syslog", level: "debug", options: check.options } as const;
  return (await openSinks([plan], host))[0]!.sink;
}

/** Writes records without delaying anybody: some in each turn of the event loop. */
async function write(sink: Sink, from: number, to: number, each = 200): Promise<void> {
  for (let n = from; n < to; n++) {
    sink.write(recordOf(n));
    if (n % each === each - 1) await new Promise((resolve) => setImmediate(resolve));
  }
}

const SEVERITIES = ["debug", "info", "warning", "err"];

/** The parameters of a record as rsyslogd shows the structured data: as it came. */
function dataOf(record: LogRecord): string {
  const params = ["service", "session", "text", "n", "a key"].map((key) => {
    const value = escape(String(record[key])).replace(/["\\\]]/g, "\\$&");
    return ` ${key.replace(" ", "_")}="${value}"`;
  });
  return `[portico@32473${params.join("")}]`;
}

/** That a message of RFC 5424 was stored with all that the record has. */
function assertStored(stored: Stored, n: number): void {
  const record = recordOf(n);
  assert.deepEqual({ ...stored, text: stored.text.replace(/^\uFEFF/, "") }, {
    host: "here",
    tag: "portico",
    pid: String(process.pid),
    id: "log",
    priority: `local3.${SEVERITIES[n % 4]}`,
    data: dataOf(record),
    text: words(record),
  });
}

/** As {@link assertStored}, of a message of RFC 3164, which has no fields but the words. */
function assertOld({ tag, pid, priority, text }: Stored, n: number): void {
  assert.deepEqual([tag, pid, priority, text], [
    "portico",
    String(process.pid),
    `local3.${SEVERITIES[n % 4]}`,
    ` shop: ${words(recordOf(n))}`,
  ]);
}

const oldNumberOf = ({ text }: Stored): number => Number(/#(\d+)/.exec(text)?.[1]);

const numberOf = (stored: Stored): number => Number(/ session="(\d+)"/.exec(stored.data)?.[1]);

const common = { facility: "local3", hostname: "here" };

describe("rsyslogd", {
  skip: lackingPrograms("rsyslogd") ||
    (process.platform !== "linux" && "it is looked at in /proc"),
}, () => {
  const scope = new Shared();
  let server: Rsyslogd;
  let skip = 0;
  before(async () => {
    server = await Rsyslogd.prepare(scope);
    await server.start();
  });
  after(() => scope.close());

  /** Delivers many records, all of which are stored, each once and whole. */
  async function deliver(
    options: Record<string, unknown>,
    check = assertStored,
    find = numberOf,
    count = MANY,
  ): Promise<void> {
    skip = server.lines().length;
    const warnings: string[] = [];
    const sink = await open({ ...common, queue: MANY, ...options }, warnings);
    await write(sink, 0, count);
    await within("the flush", sink.flush!(), 20_000);
    await server.has(skip + count);
    await sink.close!();
    assert.equal(sink.dropped!(), 0);
    assert.deepEqual(warnings, []);
    const stored = server.stored(skip);
    assert.equal(stored.length, count);
    stored.sort((one, other) => find(one) - find(other));
    stored.forEach(check);
  }

  test(`${MANY} records reach a Unix datagram socket in RFC 3164, each once and whole`, {
    skip: lackingTransport("unixgram"),
  }, () => deliver({ to: `unix:${server.log}` }, assertOld, oldNumberOf));

  for (const [to, more] of [["UDP", {}], ["TCP", { framing: "lf" }], ["TCP", {}]] as const) {
    const framing = to === "UDP" ? "" : "framing" in more ? " with LF framing" : " counted";
    test(`${FEW} records reach ${to}${framing} in RFC 3164, each once and whole`, () => {
      const place = to === "UDP"
        ? `udp://127.0.0.1:${server.udp}`
        : `tcp://127.0.0.1:${server.tcp}`;
      const check = (stored: Stored, n: number): void => {
        assertOld(stored, n);
        assert.equal(stored.host, "here");
      };
      return deliver({ to: place, format: "rfc3164", ...more }, check, oldNumberOf, FEW);
    });
  }

  test(`${MANY} records reach a Unix datagram socket in RFC 5424, each once and whole`, {
    skip: lackingTransport("unixgram"),
  }, () => deliver({ to: `unix:${server.log}5424`, format: "rfc5424" }));

  test(`${MANY} records reach UDP, each once and whole`, () =>
    deliver({ to: `udp://127.0.0.1:${server.udp}` }));

  test(`${MANY} records reach TCP with octet counting, each once and whole`, () =>
    deliver({ to: `tcp://127.0.0.1:${server.tcp}` }));

  test(`${MANY} records reach TCP with LF framing, each once and whole`, () =>
    deliver({ to: `tcp://127.0.0.1:${server.tcp}`, framing: "lf" }));

  test(`${MANY} records reach TLS with a certificate of ours, each once and whole`, {
    skip: lackingRsyslogTls,
  }, () =>
    deliver({
      to: `tls://127.0.0.1:${server.tls}`,
      tls: {
        ca: `${server.home}/ca.pem`,
        cert: `${server.home}/client.pem`,
        key: `${server.home}/client.key`,
        serverName: "logs.example",
      },
    }));

  test("a server of TLS that is not who it has to be gets nothing", {
    skip: lackingRsyslogTls,
  }, async () => {
    skip = server.lines().length;
    const tls = {
      ca: `${server.home}/ca.pem`,
      cert: `${server.home}/client.pem`,
      key: `${server.home}/client.key`,
      serverName: "logs.example",
    };
    for (
      const [wrong, why] of [
        [{ ca: `${server.home}/other.pem` }, /./],
        [{ serverName: "elsewhere.example" }, /elsewhere\.example|altnames|NotValidForName/i],
      ] as const
    ) {
      const warnings: string[] = [];
      const sink = await open({
        to: `tls://127.0.0.1:${server.tls}`,
        tls: { ...tls, ...wrong },
      }, warnings);
      sink.write(recordOf(0));
      await until("a warning", () => warnings.length > 0);
      await sink.flush!();
      await sink.close!();
      assert.match(warnings[0]!, /^the syslog server tls:.* is out of reach: /);
      assert.match(warnings[0]!, why);
      assert.equal(sink.dropped!(), 1);
    }
    assert.equal(server.lines().length, skip);
  });

  test("rsyslogd stops for 3 s in the middle of TCP: nothing is lost or doubled but what was in flight", async (t) => {
    skip = server.lines().length;
    let written = 0;
    const warnings: { readonly text: string; readonly written: number }[] = [];
    const sink = await open(
      { ...common, to: `tcp://127.0.0.1:${server.tcp}`, queue: MANY },
      { push: (text) => warnings.push({ text, written }) },
    );
    let restarted: Promise<void> | undefined;
    let stopped = 0;
    while (written < MANY) {
      await write(sink, written, written + 100, 50);
      written += 100;
      if (written === 3000) {
        stopped = written;
        restarted = (async () => {
          await server.stop();
          await new Promise((resolve) => setTimeout(resolve, 3000));
          await server.start();
        })();
      }
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    await restarted;
    await until(
      "the last record",
      () => server.lines().at(-1)!.includes(` session="${MANY - 1}"`),
      20_000,
    );
    await sink.close!();
    const numbers = server.stored(skip).map(numberOf);
    assert.equal(new Set(numbers).size, numbers.length, "nothing is doubled");
    assert.deepEqual(numbers, numbers.toSorted((a, b) => a - b), "all is in order");
    server.stored(skip).forEach((stored, i) => assertStored(stored, numbers[i]!));
    const there = new Set(numbers);
    const lost = Array.from({ length: MANY }, (_, n) => n).filter((n) => !there.has(n));
    t.diagnostic(`lost in flight: ${lost.length}`);
    assert.equal(warnings.length, 1, JSON.stringify(warnings));
    // It takes a while to stop: what it does not read any more, and the kernel has, is in flight.
    const range = `${lost[0]} to ${lost.at(-1)}; stopped at ${stopped}, noticed at ${
      warnings[0]!.written
    }`;
    assert.ok((lost.at(-1) ?? 0) < warnings[0]!.written + 100, range);
    assert.ok((lost[0] ?? MANY) >= stopped - 200, range);
    assert.equal((lost.at(-1) ?? 0) - (lost[0] ?? 0), Math.max(0, lost.length - 1), "in one run");
    assert.equal(sink.dropped!(), 0);
    assert.match(warnings[0]!.text, /^the syslog server tcp:.* is out of reach: /);
  });

  for (const overflow of ["oldest", "newest"] as const) {
    test(`what a small queue drops, the ${overflow}, is counted and told exactly`, async () => {
      skip = server.lines().length;
      const warnings: string[] = [];
      const to = `tcp://127.0.0.1:${server.tcp}`;
      const sink = await open({ ...common, to, queue: 100, overflow }, warnings);
      sink.write(recordOf(0));
      await server.has(skip + 1);
      await server.stop();
      await until("the loss of the server", () => warnings.length > 0);
      await write(sink, 1, 1001);
      assert.equal(sink.dropped!(), 900);
      await server.start();
      await server.has(skip + 102);
      await sink.close!();
      const stored = server.stored(skip);
      const kept = overflow === "oldest" ? [901, 1000] : [1, 100];
      const numbers = stored.map(numberOf);
      const at = overflow === "oldest" ? 1 : 101;
      assert.ok(Number.isNaN(numbers[at]), "the report has no number");
      assert.equal(stored[at]!.priority, "local3.warning");
      assert.equal(stored[at]!.id, "error");
      assert.match(stored[at]!.data, / lost="900"/);
      assert.deepEqual(
        numbers.filter((n) => !Number.isNaN(n)),
        [0, ...Array.from({ length: 100 }, (_, i) => kept[0]! + i)],
      );
      assert.equal(sink.dropped!(), 900);
    });
  }
});
