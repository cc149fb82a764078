/** The journald sink against a real systemd-journald, in a namespace of its own; read back by journalctl(1). */
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { existsSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { checkSink, openSinks } from "../../runtime/sinks/mod.ts";
import { record } from "../sinks/record.ts";
import { adapter, lackingFeature } from "../support/adapter.ts";
import { lackingPrograms, pathOf } from "../support/packages.ts";
import type { Scope } from "../support/scope.ts";
import { until } from "../support/until.ts";

/** Where it keeps what it is told. */
const PLACES = ["/var/log/journal", "/run/log/journal"];

const skip = lackingPrograms("systemd-journald", "journalctl") ||
  (process.getuid?.() !== 0 && "only root can run systemd-journald") ||
  lackingFeature("descriptors");

/** One entry, by field. */
type Entry = Readonly<Record<string, string>>;

class Journald {
  readonly name: string;

  constructor(scope: Scope) {
    this.name = `portico-${process.pid}`;
    const child = spawn(pathOf("systemd-journald")!, [this.name], { stdio: "ignore" });
    const ended = new Promise((resolve) => child.once("close", resolve));
    scope.after(async () => {
      child.kill("SIGTERM");
      await ended;
      this.#clear();
    });
  }

  get socket(): string {
    return join(this.#folder, "socket");
  }

  get #folder(): string {
    return `/run/systemd/journal.${this.name}`;
  }

  #clear(): void {
    rmSync(this.#folder, { recursive: true, force: true });
    for (const place of PLACES.filter((path) => existsSync(path))) {
      for (const name of readdirSync(place)) {
        if (name.endsWith(`.${this.name}`)) rmSync(join(place, name), { recursive: true });
      }
    }
  }

  /** What it has of us. */
  entries(): Entry[] {
    const words = ["--namespace", this.name, "--output", "json", "--all", "--quiet"];
    const text = execFileSync("journalctl", [...words, "SYSLOG_IDENTIFIER=portico"], {
      maxBuffer: 1 << 28,
      encoding: "utf8",
    });
    return text.split("\n").slice(0, -1).map((line) => JSON.parse(line));
  }
}

test("a real journald has every entry whole, also those that are larger than a datagram", {
  skip,
}, async (t) => {
  const journald = new Journald(t);
  await until("journald's socket", () => existsSync(journald.socket));
  const check = checkSink({
    type: "journald",
    options: { path: journald.socket, queueBytes: "64MiB" },
  });
  assert.ok("options" in check, JSON.stringify(check));
  const plan = { name: "j", type: "journald", level: "debug", options: check.options } as const;
  const warnings: string[] = [];
  const warn = (text: string): void => void warnings.push(text);
  const { sink } = (await openSinks([plan], { adapter, warn }))[0]!;
  t.after(() => sink.close!());
  const texts = ["short", "lines\nMESSAGE=forged\n\ttab é \u{1f310}", "one\n".repeat(75_000)];
  texts.push("é".repeat(500_000));
  const count = 60;
  for (let n = 0; n < count; n++) {
    sink.write(record({ level: "warn", service: "echo", n, text: texts[n % texts.length] }));
  }
  await sink.flush!();
  let entries: Entry[] = [];
  await until(
    () => `${count} entries, of ${entries.length}`,
    () => (entries = journald.entries()).length >= count,
    20_000,
  );
  assert.equal(entries.length, count);
  entries.forEach((entry, n) => {
    const { PRIORITY, PORTICO_N, PORTICO_SERVICE, PORTICO_CUT, PORTICO_TEXT, _TRANSPORT } = entry;
    assert.deepEqual(
      [PRIORITY, PORTICO_N, PORTICO_SERVICE, PORTICO_CUT, _TRANSPORT],
      ["4", String(n), "echo", undefined, "journal"],
    );
    assert.ok(PORTICO_TEXT === texts[n % texts.length], `the text of entry ${n}`);
    assert.equal(entry["_PID"], String(process.pid));
  });
  assert.equal(sink.dropped!(), 0);
  assert.deepEqual(warnings, []);
});
