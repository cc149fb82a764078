/** Every number of /metrics, against what is known to have happened in four workers, some of which have ended. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { ManagedServer, TCP, UDP } from "../support/managed-server.ts";
import { sendSignal } from "../support/proc.ts";
import { lackingPrograms } from "../support/packages.ts";
import { dial, openUdp, type StreamClient } from "../support/peers.ts";
import { ask, who } from "../support/probe.ts";
import { get } from "../support/requests.ts";
import { pluginPath } from "../support/server-process.ts";
import { lackingWorkers, SAMPLED_WORKERS } from "../support/strategies.ts";

/** By the text of a series: `portico_workers{service="work",state="ready"}`. */
type Samples = ReadonlyMap<string, number>;

const RUNTIME = fileURLToPath(new URL("../../runtime/mod.ts", import.meta.url).href);

/** A sink that gives up whatever it is given. */
const LEAKY = `
import { defineSink } from ${JSON.stringify(RUNTIME)};
const options = { "~standard": { version: 1, vendor: "test", validate: (value) => ({ value }) } };
export default defineSink({
  name: "leaky",
  options,
  open() {
    let dropped = 0;
    return { write: () => void dropped++, dropped: () => dropped };
  },
});
`;

/** What a server has told so far; no counter has ever gone back. */
class Book {
  readonly #endpoint: string;
  #last: Samples = new Map();

  constructor(endpoint: string) {
    this.#endpoint = endpoint;
  }

  async read(): Promise<Samples> {
    const { text, status } = await get(this.#endpoint, "/metrics");
    assert.equal(status, 200, text);
    const samples = new Map<string, number>();
    for (const line of text.split("\n")) {
      if (line === "" || line.startsWith("#")) continue;
      const at = line.lastIndexOf(" ");
      const series = line.slice(0, at);
      assert.ok(!samples.has(series), `${series} comes twice in\n${text}`);
      samples.set(series, Number(line.slice(at + 1)));
    }
    for (const [series, value] of this.#last) {
      if (!/_(total|bucket|sum|count)(\{|$)/.test(series)) continue;
      const now = samples.get(series);
      assert.ok(now !== undefined && now >= value, `${series} was ${value}, and is ${now}`);
    }
    this.#last = samples;
    return samples;
  }

  /** Asks until what it tells is so. */
  async when(what: string, holds: (samples: Samples) => boolean): Promise<Samples> {
    const end = performance.now() + 30_000;
    for (;;) {
      const samples = await this.read();
      if (holds(samples)) return samples;
      const text = [...samples].map((sample) => sample.join(" ")).join("\n");
      assert.ok(performance.now() < end, `waited for ${what}; there is\n${text}`);
    }
  }

  async until(series: string, value: number): Promise<Samples> {
    return await this.when(`${series} ${value}`, (samples) => samples.get(series) === value);
  }
}

/** What is told of the service `work`, but for what nobody can know: how long things took. */
function known(samples: Samples): Record<string, number> {
  const found: Record<string, number> = {};
  for (const [series, value] of samples) {
    const [, name = "", labels = ""] = /^portico_(\w+)\{(.*)\}$/.exec(series) ?? [];
    if (name === "records_dropped_total") found[`${name} ${labels}`] = value;
    if (!labels.includes('service="work"') || name.startsWith("event_loop_delay")) continue;
    if (name.endsWith("_sum") || (name.endsWith("_bucket") && !labels.includes("+Inf"))) continue;
    found[`${name} ${labels.replace(/,?service="work",?/, "")}`.trim()] = value;
  }
  return found;
}

/** How many timers of workers were so late at least, in seconds. */
function late(samples: Samples, seconds: number): number {
  const of = (le: string): number =>
    samples.get(`portico_event_loop_delay_seconds_bucket{service="work",le="${le}"}`) ?? 0;
  return of("+Inf") - of(String(seconds));
}

const work = (strategy: string, closed: string, version: number): Record<string, unknown> => ({
  plugin: pluginPath("probe"),
  listen: [TCP, UDP],
  concurrency: strategy === "spawn" ? { strategy, max: 8 } : { strategy, workers: 4 },
  options: { form: "commands", closed },
  limits: { sessions: 4, lifetime: `${version}h`, drain: "10s", stall: "4s" },
  // Two sinks of one name.
  log: [
    { type: "json", level: "debug" },
    { type: "leaky", events: ["close"], which: 1 },
    { type: "leaky", events: ["close"], which: version + 1 },
  ],
});

async function served(t: TestContext, endpoint: string, ...lines: string[]): Promise<void> {
  const peer = await dial(t, endpoint);
  for (const line of lines) await ask(peer, line);
  await leave(peer);
}

async function leave(peer: StreamClient): Promise<void> {
  peer.end();
  await peer.when("the close", () => peer.gone);
}

for (const strategy of SAMPLED_WORKERS) {
  test(`${strategy}: every number of /metrics is exact`, { skip: lackingWorkers }, async (t) => {
    const managed = ManagedServer.prepare(t, {});
    const closed = join(managed.home, "closed");
    writeFileSync(join(managed.home, "leaky.ts"), LEAKY);
    const write = (version: number): void =>
      managed.write({
        work: work(strategy, closed, version),
        admin: { plugin: "admin", listen: "http://127.0.0.1:0" },
      }, { plugins: { leaky: "./leaky.ts" } });
    write(1);
    await managed.start();
    const tcp = await managed.endpoint("work", "tcp");
    const udp = await managed.endpoint("work", "udp");
    const book = new Book(await managed.endpoint("admin", "http"));
    const ends = 'portico_session_duration_seconds_count{service="work"}';
    const live = 'portico_sessions_live{service="work"}';

    // Four are served, all in workers of their own, and three are refused. Nobody has left yet.
    await book.read();
    const four = await Promise.all(Array.from({ length: 4 }, () => dial(t, tcp)));
    const places = await Promise.all(four.map(who));
    assert.equal(new Set(places.map(({ place }) => place)).size, 4);
    for (let i = 0; i < 3; i++) await (await dial(t, tcp)).over();
    let samples = await book.until(
      'portico_sessions_refused_total{service="work",cause="sessions"}',
      3,
    );
    assert.equal(samples.get('portico_sessions_accepted_total{service="work"}'), 4);
    assert.equal(samples.get(live), 4);
    assert.equal(samples.get(ends), 0);

    // One keeps its event loop for a while, and dies of something else; the others leave in order.
    const burnt = `${await ask(four[0]!, "burn 300")}\n`.length;
    await book.when("a late timer of a worker", (samples) => late(samples, 0.1) > 0);
    // What goes through sessions is known while they are open.
    const said = places.map(({ place, id }) => `${place} ${id}\n`.length);
    const bytes = 'portico_bytes_total{service="work",direction=';
    await book.until(`${bytes}"in"}`, 4 * 4 + 9);
    await book.until(`${bytes}"out"}`, said.reduce((sum, length) => sum + length) + burnt);
    if (strategy === "threads") four[0]!.send("exit 7\n");
    else sendSignal(places[0]!.pid, "SIGKILL");
    await four[0]!.over();
    await Promise.all(four.slice(1).map(leave));
    await book.until(ends, 4);

    // Errors, one of them of nobody's session; and who is refused by the plugin itself.
    for (let i = 0; i < 3; i++) {
      const peer = await dial(t, tcp);
      peer.send("throw\n");
      await peer.over();
      await leave(peer);
    }
    const thrower = await dial(t, tcp);
    await ask(thrower, "throw-later");
    // One that is served alone would end with its session, and the timer with it.
    await book.until('portico_errors_total{service="work",code="HOOK_FAILED",side="plugin"}', 4);
    await leave(thrower);
    writeFileSync(closed, "");
    for (let i = 0; i < 2; i++) await (await dial(t, tcp)).over();
    rmSync(closed);
    await book.until(live, 0);

    // Datagrams; the last one is a hook's error.
    const sender = await openUdp(t);
    for (let i = 0; i < 5; i++) await sender.ask("echo four\n", udp);
    sender.send("throw\n", udp);
    await book.until('portico_datagrams_total{service="work",direction="in"}', 6);
    await book.until(live, 0);

    // The workers of before end, and what they have counted is not forgotten.
    write(2);
    assert.deepEqual((await managed.reload()).changed, ["work"]);
    for (let i = 0; i < 8; i++) {
      await served(t, await managed.endpoint("work", "tcp"), "echo twelve");
    }
    await book.until(ends, 16);
    const ready = 'portico_workers{service="work",state="ready"}';
    const inOrder = (samples: Samples): boolean => {
      const workers = [...samples].filter(([series]) => series.startsWith("portico_workers{"));
      return workers.length === 1 && samples.get(ready) === 4;
    };
    samples = strategy === "spawn"
      ? await book.read()
      : await book.when("four workers, and none of before", inOrder);
    const expected: Record<string, number> = {
      "service_up": 1,
      "sessions_accepted_total": 4 + 4 + 6 + 8,
      "sessions_live": 0,
      "sessions_held": 0,
      'sessions_refused_total cause="sessions"': 3,
      'sessions_refused_total cause="verify"': 2,
      'sessions_ended_total reason="peer"': 3 + 1 + 8,
      'sessions_ended_total reason="worker"': 1,
      'sessions_ended_total reason="error"': 3,
      'errors_total code="HOOK_FAILED",side="plugin"': 3 + 1 + 1,
      'bytes_total direction="in"': 4 * 4 + 9 + 3 * 6 + 12 + 5 * 10 + 6 + 8 * 12,
      'bytes_total direction="out"': said.reduce((sum, length) => sum + length) + burnt + 7 +
        5 * 5 + 8 * 7,
      'datagrams_total direction="in"': 6,
      'datagrams_total direction="out"': 5,
      datagrams_lost_total: 0,
      "worker_restarts_total": 1,
      'records_dropped_total sink="leaky"': 2 * 16,
      'records_dropped_total sink="json"': 0,
      'session_duration_seconds_bucket le="+Inf"': 16,
      "session_duration_seconds_count": 16,
    };
    const found = known(samples);
    const states = Object.entries(found).filter(([series]) => series.startsWith("workers "));
    for (const [series] of states) delete found[series];
    if (strategy !== "spawn") assert.deepEqual(states, [['workers state="ready"', 4]]);
    assert.deepEqual(found, expected);
    const { text } = await get(await managed.endpoint("admin", "http"), "/metrics");
    if (lackingPrograms("promtool") === false) {
      const checked = spawnSync("promtool", ["check", "metrics"], { input: text });
      assert.equal(checked.status, 0, `${checked.stdout}${checked.stderr}`);
    } else t.diagnostic("promtool does not check it");
    await managed.process.stop();
  });
}
