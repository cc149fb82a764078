/** The time of day in lines for a terminal, where local time is UTC and where it is not. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import process from "node:process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { command } from "../support/command.ts";

const MODULE = fileURLToPath(new URL("../support/local-clock.ts", import.meta.url).href);

/** What a process of this runtime writes for noon in UTC on a day of winter. */
function noonIn(zone: string | undefined): string {
  const env = { ...process.env };
  delete env["TZ"];
  if (zone !== undefined) env["TZ"] = zone;
  const [program, words] = command(MODULE);
  return execFileSync(program, words, { env, encoding: "utf8" });
}

test("a line for a terminal has the local time of day", () => {
  assert.match(noonIn("UTC"), /^12:00:00\.007 /);
  assert.match(noonIn("Etc/UTC"), /^12:00:00\.007 /);
  assert.match(noonIn("America/New_York"), /^07:00:00\.007 /);
  assert.match(noonIn("Asia/Kolkata"), /^17:30:00\.007 /);
});

test("without TZ it is the zone of this machine", () => {
  const two = (part: number): string => String(part).padStart(2, "0");
  const zone = execFileSync("date", ["-d", "2026-01-15T12:00:00Z", "+%H:%M"], {
    env: { PATH: process.env["PATH"] ?? "" },
    encoding: "utf8",
  }).trim();
  const [hours = 0, minutes = 0] = zone.split(":").map(Number);
  assert.ok(noonIn(undefined).startsWith(`${two(hours)}:${two(minutes)}:00.007 `));
});
