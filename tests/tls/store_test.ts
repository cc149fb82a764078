/** Certificates in use: read anew when their files change, told of when they end, never half of a pair. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmodSync, copyFileSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { describe, test } from "node:test";
import type { TlsPlan } from "../../runtime/core/plan.ts";
import type { TlsServerOptions } from "../../runtime/core/tls.ts";
import type { Fields } from "../../runtime/core/record.ts";
import { families } from "../../runtime/metrics/metrics.ts";
import { CertificateStore, type StoredKeys } from "../../runtime/services/tls/store.ts";
import { type CertificateName, certificates } from "../support/certificates.ts";
import { folder } from "../support/folder.ts";
import type { Scope } from "../support/scope.ts";
import { StillClock } from "../support/still-clock.ts";

const made = certificates();

/** One that begins when certificates of this process do. */
class Today extends StillClock {
  readonly #began = Date.now();
  override wall(): number {
    return this.#began + this.now();
  }
}

interface Told extends Fields {
  readonly level: string;
  readonly event: string;
}

function setUp(t: Scope, keys: StoredKeys = {}) {
  const home = folder(t, {});
  const clock = new Today();
  const records: Told[] = [];
  let changed = (): void => {};
  let watched: () => readonly string[] = () => [];
  const store = new CertificateStore({
    clock,
    watch: (files, callback) => {
      changed = callback;
      watched = files;
      return () => {};
    },
    tell: (level, event, fields) => void records.push({ level, event, ...fields }),
  });
  store.succeed(keys);
  t.after(() => store.close());
  const put = (name: CertificateName, as = "s", ...parts: ("pem" | "key")[]): void => {
    for (const part of parts.length === 0 ? ["pem", "key"] as const : parts) {
      copyFileSync(made.file(name, part), join(home, `${as}.${part}`));
    }
  };
  const plan = (more: Partial<TlsPlan> = {}): TlsPlan => ({
    certificates: [{ cert: join(home, "s.pem"), key: join(home, "s.key") }],
    alpn: [],
    client: "none",
    ca: [],
    minVersion: "TLSv1.2",
    tickets: 7_200_000,
    ...more,
  });
  /** What is told, without the folder. */
  const told = (): string[] =>
    records.splice(0).map(({ level, event, code = "", message }) =>
      `${level} ${event} ${code} ${String(message)}`.replaceAll(home, "HOME")
    );
  return {
    home,
    clock,
    store,
    put,
    plan,
    told,
    records,
    changed: () => changed(),
    watched: () => watched(),
  };
}

const nameOf = ({ identities }: TlsServerOptions): string | undefined => identities[0]?.names[0];

describe("the certificates of a server", () => {
  test("equal plans have the same ones; what nobody has any more is forgotten", async (t) => {
    const { store, plan, put, clock } = setUp(t);
    put("server");
    const [first, second] = await Promise.all([store.get(plan()), store.get(plan())]);
    assert.equal(first, second);
    assert.notEqual(await store.get(plan({ alpn: ["h2"] })), first);
    store.keep([plan()]);
    assert.equal(await store.get(plan()), first);
    store.keep([]);
    assert.notEqual(await store.get(plan()), first);
    store.close();
    assert.equal(clock.timers, 0);
  });

  test("a pair that has changed is in use at once, and told of; one that has not is not", async (t) => {
    const { store, plan, put, told, changed, watched } = setUp(t);
    put("a");
    const held = await store.get(plan());
    const seen: (string | undefined)[] = [];
    held.onChange((options) => seen.push(nameOf(options)));
    changed();
    assert.deepEqual(seen, []);
    put("b");
    changed();
    assert.deepEqual(seen, ["b.example"]);
    assert.equal(nameOf(held.options), "b.example");
    assert.match(told().at(-1)!, /^info log {2}a new certificate is in use$/);
    assert.deepEqual(watched().map((file) => file.split("/").at(-1)), ["s.pem", "s.key"]);
  });

  test("half of a new pair changes nothing: it is told of once its other half is not there in time", async (t) => {
    const { store, plan, put, told, changed, clock } = setUp(t);
    put("a");
    const held = await store.get(plan());
    const before = held.options;
    told();
    put("b", "s", "pem");
    changed();
    clock.move(1000);
    assert.equal(held.options, before);
    assert.deepEqual(told(), []);
    put("b", "s", "key");
    changed();
    assert.equal(nameOf(held.options), "b.example");
    assert.equal(told().length, 1);
    put("a", "s", "key");
    changed();
    clock.move(1999);
    assert.deepEqual(told(), []);
    clock.move(1);
    assert.match(
      told().join(),
      /^error error TLS_INVALID HOME\/s\.key: not the key of .*; what was read before stays in use$/,
    );
    assert.equal(nameOf(held.options), "b.example");
    // The same is not told of twice.
    store.refresh();
    assert.deepEqual(told(), []);
  });

  test("what is wrong when somebody asks is told of at once, and changes nothing", async (t) => {
    const { store, plan, put, told, home } = setUp(t);
    put("a");
    const held = await store.get(plan());
    told();
    for (
      const [break_, says] of [
        [() => rmSync(join(home, "s.pem")), /s\.pem: no such file/],
        [() => put("expired"), /s\.pem: expired at/],
        [() => writeFileSync(join(home, "s.pem"), ""), /s\.pem: an empty file/],
      ] as const
    ) {
      break_();
      store.refresh();
      assert.match(told().join(), says);
      assert.equal(nameOf(held.options), "a.example");
    }
    put("renewed");
    store.refresh();
    assert.equal(held.options.identities[0]!.cert, made.cert("renewed"));
  });

  test("a plan whose certificate is wrong has none; with what is right it has one", async (t) => {
    const { store, plan, put } = setUp(t);
    await assert.rejects(store.get(plan()), { code: "TLS_INVALID" });
    put("expired");
    await assert.rejects(store.get(plan()), { code: "TLS_INVALID", message: /expired at/ });
    put("a");
    assert.equal(nameOf((await store.get(plan())).options), "a.example");
  });

  test("authorities of clients are read, and an empty file of them is wrong", async (t) => {
    const { store, plan, put, home } = setUp(t);
    put("a");
    put("ca", "ca");
    const ca = [join(home, "ca.pem")];
    const { options } = await store.get(plan({ client: "require", ca }));
    assert.deepEqual([options.client, options.ca], ["require", [made.cert("ca")]]);
    writeFileSync(ca[0]!, "");
    await assert.rejects(store.get(plan({ client: "request", ca })), {
      message: /ca\.pem: an empty file/,
    });
  });

  test("a folder has one for each name; the default is first; one whose time is over is left out", async (t) => {
    const { store, plan, put, told, home, changed } = setUp(t);
    const at = join(home, "certs");
    mkdirSync(at);
    const of = (more: Partial<TlsPlan> = {}) =>
      store.get(plan({ certificates: [], folder: at, ...more }));
    await assert.rejects(of(), { message: /certs: no certificate with its key/ });
    put("a", "certs/a");
    put("wildcard", "certs/w");
    put("expired", "certs/x");
    const held = await of();
    assert.deepEqual(held.options.identities.map(({ names }) => names[0]), [
      "a.example",
      "*.w.example",
    ]);
    assert.match(
      told().join(),
      /^warn error TLS_INVALID HOME\/certs\/x\.pem: expired at .*; it is left out/,
    );
    assert.equal(nameOf((await of({ default: "x.w.example" })).options), "*.w.example");
    await assert.rejects(of({ default: "no.example" }), {
      message: /certs: no certificate for "no.example"/,
      hint: /one of a.example, \*.w.example/,
    });
    // Once for each plan.
    told();
    changed();
    assert.deepEqual(told(), []);
    // A name more, and a name less.
    put("b", "certs/b");
    rmSync(join(at, "w.pem"));
    changed();
    assert.deepEqual(held.options.identities.map(({ names }) => names[0]), [
      "a.example",
      "b.example",
    ]);
  });

  test("the keys of tickets are new with each period, and the same for all who ask", async (t) => {
    const { store, plan, put, clock } = setUp(t);
    put("a");
    const held = await store.get(plan({ tickets: 1000 }));
    let changes = 0;
    held.onChange(() => changes++);
    const { ticketKeys: first, sessionTimeout } = held.options;
    assert.deepEqual([first!.length, sessionTimeout], [48, 1]);
    clock.move(999);
    assert.equal(held.options.ticketKeys, first);
    assert.equal(held.options.formerTicketKeys, undefined);
    clock.move(1);
    assert.notDeepEqual(held.options.ticketKeys, first);
    assert.equal(held.options.formerTicketKeys, first);
    clock.move(5000);
    assert.equal(changes, 6);
    const without = await store.get(plan({ tickets: 0 }));
    assert.deepEqual([without.options.ticketKeys, without.options.sessionTimeout], [undefined, 0]);
  });

  test("a new certificate keeps the key of tickets, and a successor has it for what is left of its time", async (t) => {
    const one = setUp(t);
    one.put("a");
    const held = await one.store.get(one.plan({ tickets: 1000 }));
    const key = held.options.ticketKeys!;
    one.clock.move(400);
    one.put("b");
    one.changed();
    assert.equal(held.options.ticketKeys, key);
    const stored = JSON.parse(JSON.stringify(one.store.ticketKeys())) as StoredKeys;
    const next = new CertificateStore({ clock: one.clock, watch: () => () => {}, tell() {} });
    t.after(() => next.close());
    next.succeed(stored);
    const after = await next.get(one.plan({ tickets: 1000 }));
    assert.deepEqual([...after.options.ticketKeys!], [...key]);
    one.clock.move(600);
    assert.notDeepEqual([...after.options.ticketKeys!], [...key]);
    assert.deepEqual([...after.options.formerTicketKeys!], [...key]);
    // The one before it goes over, too.
    const third = new CertificateStore({ clock: one.clock, watch: () => () => {}, tell() {} });
    t.after(() => third.close());
    third.succeed(JSON.parse(JSON.stringify(next.ticketKeys())) as StoredKeys);
    const last = await third.get(one.plan({ tickets: 1000 }));
    assert.deepEqual([...last.options.formerTicketKeys!], [...key]);
  });

  test("who ends soon is told of 30, 7 and 1 days before it, once each, and when it has come", async (t) => {
    const { store, plan, home, told, clock } = setUp(t);
    const day = 86_400_000;
    execFileSync("openssl", [
      ..."req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 99 -subj /CN=long.example -out s.pem -keyout s.key"
        .split(" "),
    ], { cwd: home, stdio: "pipe" });
    await store.get(plan());
    assert.deepEqual(told(), []);
    const after = (days: number): string => {
      clock.move(days * day);
      return told().map((each) => each.replace(/20\S+Z/, "TIME")).join("\n");
    };
    const says = (level: string, left: string): string =>
      `${level} error TLS_INVALID HOME/s.pem: the certificate of long.example ${left}, at TIME`;
    assert.equal(after(68), "");
    assert.equal(after(1), says("warn", "ends in 30 days"));
    assert.equal(after(22), "");
    assert.equal(after(1), says("warn", "ends in 7 days"));
    assert.equal(after(6), says("error", "ends in 24 hours"));
    assert.equal(after(0.9), "");
    assert.match(after(0.1), /has ended at TIME$/);
    assert.equal(after(30), "");
  });

  test("metrics say when each ends, by its file and first name", async (t) => {
    const { store, plan, put, home } = setUp(t);
    put("a");
    await store.get(plan());
    const status = { services: [], sinks: [], certificates: store.status() } as never;
    const of = (text: unknown) =>
      families({ buckets: [], seconds: 0 } as never)
        .find(({ name }) => name === "portico_tls_certificate_expiry_timestamp_seconds")!
        .samples(text as never);
    const { validTo } = store.status()[0]!;
    assert.deepEqual(of(status), [{
      value: Date.parse(validTo) / 1000,
      labels: { file: join(home, "s.pem"), name: "a.example" },
    }]);
    assert.deepEqual(of({ services: [], sinks: [] }), []);
  });

  test("nothing of a key is told", async (t) => {
    const { store, plan, put, records, changed, home, clock } = setUp(t);
    put("a");
    await store.get(plan());
    put("b", "s", "pem");
    changed();
    clock.move(5000);
    writeFileSync(
      join(home, "s.key"),
      "-----BEGIN PRIVATE KEY-----\nMIGHAgEA\n-----END PRIVATE KEY-----",
    );
    store.refresh();
    const text = JSON.stringify([records, store.status()]);
    assert.ok(records.length >= 2);
    for (const line of `${made.key("a")}${made.key("b")}MIGHAgEA`.split("\n")) {
      if (line !== "" && !line.startsWith("--")) assert.ok(!text.includes(line), line);
    }
    assert.deepEqual(store.status().map(({ names }) => names), [["a.example"]]);
  });

  test("what may not be read any more stays in use, also for a plan that is new", {
    skip: process.getuid?.() === 0 && "root may read everything",
  }, async (t) => {
    const { store, plan, put, told, home } = setUp(t);
    put("a");
    const held = await store.get(plan());
    chmodSync(join(home, "s.key"), 0);
    store.refresh();
    assert.match(
      told().join(),
      /^warn error EACCES HOME\/s\.key: no permission to read it any more/,
    );
    assert.equal(nameOf(held.options), "a.example");
    assert.equal(nameOf((await store.get(plan({ alpn: ["x"] }))).options), "a.example");
  });
});
