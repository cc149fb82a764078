/** How large the core is, bundled and minified: it has to stay small. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { commandOn } from "./support/command.ts";

/** Bytes of a module of these tests with all that it imports; as they are, and with gzip. */
function weigh(name: string): { readonly plain: number; readonly gzip: number } {
  const entry = fileURLToPath(new URL(`./support/${name}.ts`, import.meta.url).href);
  const [program, words] = commandOn("bun", "build", "--minify", "--target=bun", entry);
  const code = execFileSync(program, words, { maxBuffer: 1024 * 1024 });
  return { plain: code.length, gzip: gzipSync(code, { level: 9 }).length };
}

/**
 * What it may weigh at most: on 2026-11-27 it was 32.6 KB, 11.5 with gzip; with admission 40.3 and
 * 14.1. Added since: a clock that tests move 0.9, rules by range, user and hour 6.4, sources 0.9, who
 * keeps a chunk 0.1, frames that are measured and turns of the pull form 1.4, a wheel of deadlines with
 * progress and handler 5.2, the gate of bans 0.5, a word for each limit and rests 1.9, names and options
 * of rules 0.6, who is shed 2.0, where TLS stands in for a connection 0.9, a handshake before verify
 * and STARTTLS 0.3, chunks that are lent 0.5, that nothing is looked at where nothing is limited 0.4.
 */
const MOST = [
  ["stream-core", 45_700, 16_000],
  ["admitting-core", 65_400, 23_200],
] as const;

for (const [name, plain, gzip] of MOST) {
  test(`the ${name} stays small`, (t) => {
    const size = weigh(name);
    t.diagnostic?.(`${name}: ${size.plain} bytes, ${size.gzip} with gzip`);
    assert.ok(size.plain < plain, `${size.plain} bytes, at most ${plain}`);
    assert.ok(size.gzip < gzip, `${size.gzip} bytes with gzip, at most ${gzip}`);
    assert.ok(size.plain > 10_000, "something was bundled");
  });
}
