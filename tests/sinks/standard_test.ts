/** Standard output that several servers share, as one and its successor do. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, test } from "node:test";
import { command, runToEnd } from "../support/command.ts";
import { folder } from "../support/folder.ts";
import { lackingPrograms } from "../support/packages.ts";

const module = (path: string): string => JSON.stringify(new URL(path, import.meta.url).href);

/** Writes so many records, many in one turn of the event loop. */
const WRITER = `
import { openJson } from ${module("../../runtime/sinks/json.ts")};
const [who, count] = process.argv.slice(2);
const sink = openJson();
for (let n = 0; n < Number(count); n++) {
  const pad = "x".repeat(n % 10 === 0 ? 3000 : n % 300);
  sink.write({ time: Date.now(), level: "info", event: "log", who, n, pad });
  if (n % 500 === 499) await new Promise((resolve) => setTimeout(resolve, 1));
}
await sink.flush();
`;

/** Starts commands with one end of a pipe or of a pair of sockets as standard output, and reads the other in pieces. */
const SHARED = `
import json, os, socket, subprocess, sys
kind, waits = sys.argv[1:3]
if kind == "pipe":
    ours, theirs = os.pipe()
else:
    ours, theirs = (end.detach() for end in socket.socketpair())
os.set_blocking(theirs, waits == "waits")
writers = [subprocess.Popen(words, stdout=theirs) for words in json.loads(sys.argv[3])]
os.close(theirs)
while piece := os.read(ours, 1000):
    sys.stdout.buffer.write(piece)
sys.exit(max(writer.wait() for writer in writers))
`;

describe("standard output that two write to", { skip: lackingPrograms("python3") }, () => {
  for (const kind of ["pipe", "socket"]) {
    for (const waits of ["waits", "never waits"]) {
      test(`each line is whole in a ${kind} that ${waits}`, async (t) => {
        const path = join(folder(t, { "writer.ts": WRITER }), "writer.ts");
        const count = 3000;
        const writers = ["a", "b"].map((who) => command(path, who, String(count)).flat());
        const { code, out, err } = await runToEnd(
          ["python3", ["-c", SHARED, kind, waits, JSON.stringify(writers)]],
        );
        assert.equal(code, 0, err);
        const records = out.split("\n").slice(0, -1).map((line) => JSON.parse(line));
        for (const name of ["a", "b"]) {
          const numbers = records.filter(({ who }) => who === name).map(({ n }) => n);
          assert.deepEqual(numbers, Array.from({ length: count }, (_, n) => n), name);
        }
        assert.equal(records.length, 2 * count);
      });
    }
  }
});
