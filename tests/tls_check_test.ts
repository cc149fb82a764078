/** What `portico check` says of TLS, and of what leads to services with it. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { adapter } from "./support/adapter.ts";
import { certificates } from "./support/certificates.ts";
import { portico } from "./support/command.ts";
import { folder } from "./support/folder.ts";
import type { Scope } from "./support/scope.ts";

const made = certificates();
const pair = (name: "server" | "a" | "b" | "wildcard"): { cert: string; key: string } => ({
  cert: made.file(name),
  key: made.file(name, "key"),
});
const SECURE = "tls://127.0.0.1:0";

interface Finding {
  readonly what: string;
  readonly note?: string;
}

/** The notes of each service about `what`. */
async function notes(
  t: Scope,
  services: object,
  what: string,
  top: object = {},
): Promise<Record<string, string[]>> {
  const home = folder(t, { "portico.json": JSON.stringify({ services, ...top }) });
  const { out, err } = await portico("check", home, "--json");
  assert.equal(err, "");
  const found = JSON.parse(out).services as { service: string; findings: Finding[] }[];
  return Object.fromEntries(
    found.map(({ service, findings }) => [
      service,
      findings.filter((each) => each.what === what).map(({ note }) => note ?? ""),
    ]),
  );
}

describe("portico check and TLS", () => {
  test("a runtime that takes no tickets of the key before says so where a time is named", async (t) => {
    const echo = { plugin: "echo", listen: SECURE };
    const { named, silent, never } = await notes(t, {
      named: { ...echo, tls: { ...pair("a"), sessionTickets: "1h" } },
      silent: { ...echo, tls: pair("a") },
      never: { ...echo, tls: { ...pair("a"), sessionTickets: false } },
    }, "tls.sessionTickets");
    const about = (texts: string[] = []): number =>
      texts.filter((text) => text.includes("takes no ticket of the key before")).length;
    const due = adapter.features.tls?.formerTickets === true ? 0 : 1;
    assert.deepEqual([about(named), about(silent), about(never)], [due, 0, 0]);
  });
});
