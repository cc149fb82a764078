/** What is told of a manifest that is wrong: one block for all problems, each with its place. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { PorticoError } from "../../runtime/core/errors.ts";
import { load } from "../../runtime/manifest/load.ts";
import { BUILT_IN, HTTP } from "../../runtime/modules/resolve.ts";
import { sinkTypes } from "../../runtime/sinks/mod.ts";
import { renderError } from "../../runtime/terminal/failure.ts";
import { folder } from "../support/folder.ts";
import { expand, prepare } from "../support/manifest.ts";

/** The block that a user reads for a folder of files; the folder itself is written as HOME. */
export async function blockOf(
  t: TestContext,
  files: Record<string, string>,
  at = ".",
): Promise<string> {
  const home = folder(t, files);
  try {
    const source = await load(join(home, at), { SET: "1" });
    await prepare(expand(source), source);
  } catch (error) {
    if (!(error instanceof PorticoError)) throw error;
    return renderError(error, home).replaceAll(home, "HOME");
  }
  throw new assert.AssertionError({ message: "nothing was wrong" });
}

/** A manifest of one service on the second line, which listens on the third. */
export function service(entries: string, listen = `"listen": "tcp://127.0.0.1:7007"`): string {
  return `{ "services": { "echo": { "plugin": "echo",\n  ${
    entries === "" ? "" : `${entries},`
  }\n  ${listen}\n} } }`;
}

export const PLUGINS: string = `expected  a built-in plugin: ${[...BUILT_IN, HTTP].join(", ")}
            a short name: "plugins" has none
            a path: ./… ../… or /…
            an npm package: none of this name is installed for HOME
            npm:… jsr:… https:… where the runtime can`;
export const SINKS: string = sinkTypes.join(", ");
export const POLICIES: string = "level, events, fields, sample, optional";
export const DURATION: string =
  `a duration above 0: "250ms", "30s", "5m", "1h" (at most 596h) or a number of milliseconds; "none" for no limit`;
export const LIMITS: string =
  "sessions, perSource, source, rate, ratePerSource, datagramRate, bytesPerSecond, bytes, amplification, refuseRecords, handshake, handshakes, firstByte, idle, progress, lifetime, handler, wait, hold, writeBuffer, waiting, overflow, rest, load, drain, start, stall";

/** What is wrong, the manifest, and the block without its headline. */
export type WrongManifest = readonly [what: string, text: string, block: string];

/** A test for each of these. */
export function refuses(
  step: "load" | "expand",
  headline: string,
  wrong: readonly WrongManifest[],
): void {
  for (const [what, text, block] of wrong) {
    test(`${step} refuses ${what}`, async (t) => {
      assert.equal(
        await blockOf(t, { "portico.json": text }),
        `error: ${headline}\n\nportico.json:${block}`,
      );
    });
  }
}
