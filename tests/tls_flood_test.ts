/** Handshakes that are never finished: others are served meanwhile, and nothing is left of them. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect as connectClear, type Socket } from "node:net";
import { test } from "node:test";
import { connect } from "node:tls";
import { certificates } from "./support/certificates.ts";
import { startManifest } from "./support/in-process.ts";
import { lackingStrategy } from "./support/strategies.ts";
import { until, within } from "./support/until.ts";

const made = certificates();
const COUNT = 1000;
/** The head of a ClientHello that is longer than what comes of it. */
const HALF = new Uint8Array([0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3]);

for (const strategy of ["async", "threads"] as const) {
  test(`${COUNT} half-done handshakes, ${strategy}: a good client is served`, {
    skip: lackingStrategy(strategy),
  }, async (t) => {
    const tested = {
      plugin: "echo",
      listen: "tls://127.0.0.1:0",
      tls: { cert: made.file("server"), key: made.file("server", "key") },
      concurrency: strategy,
      // Half of them give way to the others, and these to the good one, in half a second each: far less than it has.
      limits: { handshakes: 500, handshake: "6s", perSource: "none", refuseRecords: "none" },
    };
    const server = await startManifest(t, { tested });
    const port = Number(server.endpoint().split(":").at(-1));
    const halves: Socket[] = [];
    let gone = 0;
    t.after(() => {
      for (const half of halves) half.destroy();
    });
    for (let i = 0; i < COUNT; i++) {
      const half = connectClear(port, "127.0.0.1", () => half.write(HALF));
      half.on("error", () => {});
      half.once("close", () => gone++);
      halves.push(half);
    }
    await until("all of them", () => server.live() + gone >= COUNT);
    const good = connect({
      port,
      host: "127.0.0.1",
      ca: made.cert("ca"),
      servername: "logs.example",
    });
    good.on("error", () => {});
    t.after(() => void good.destroy());
    good.write("hello");
    const [answer] = await within("an answer", once(good, "data"));
    assert.equal(String(answer), "hello");
    // It has not waited for their deadline.
    assert.ok(gone < COUNT, `${gone} have gone`);
    await until("the end of the others", () => gone === COUNT);
    // Workers tell of them a moment later.
    await until("their records", () => server.all("refuse").length >= COUNT);
    const limits = server.all("refuse").map((each) => each["limit"]);
    assert.equal(limits.length, COUNT);
    assert.ok(limits.every((limit) => limit === "handshake" || limit === "handshakes"));
    good.end();
    await until("nobody", () => server.live() === 0);
  });
}
