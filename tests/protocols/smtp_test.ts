/** SMTP: mails come whole, and whoever is idle when the service drains is told 421 and gone at once. */
import assert from "node:assert/strict";
import { mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { folder } from "../support/folder.ts";
import { lackingPrograms } from "../support/packages.ts";
import { dial } from "../support/peers.ts";
import { client, portOf, serveProtocol } from "../support/protocols.ts";
import { lackingStrategy, SAMPLE } from "../support/strategies.ts";

for (const strategy of SAMPLE) {
  const lacking = lackingStrategy(strategy);
  const skip = lackingPrograms("swaks") || lacking;

  test(`smtp, ${strategy}: swaks delivers mails`, { skip }, async (t) => {
    const spool = folder(t, {});
    const server = await serveProtocol(t, "smtp", strategy, { options: { spool } });
    const port = await portOf(server, "smtp");
    await Promise.all([1, 2, 3].map((number) =>
      client(
        ...["swaks", "--server", `127.0.0.1:${port}`, "--from", "a@example.org"] as const,
        ...["--to", "b@example.org,c@example.org", "--header", `Subject: Number ${number}`],
        ...["--body", `first line\n.hidden dot\n${"x".repeat(1000)}\nlast line ${number}`],
      )
    ));
    const mails = readdirSync(spool).map((name) => readFileSync(join(spool, name), "utf8"));
    assert.equal(mails.length, 3);
    for (const number of [1, 2, 3]) {
      const mail = mails.find((text) => text.includes(`Subject: Number ${number}\n`));
      assert.ok(mail !== undefined);
      assert.match(mail, /^Envelope: a@example\.org -> b@example\.org, c@example\.org\n/);
      assert.match(mail, new RegExp(`\nfirst line\n\\.hidden dot\nx{1000}\nlast line ${number}\n`));
    }
    await server.process.count(3, { event: "close", reason: "done" });
  });

  test(`smtp, ${strategy}: at a drain whoever is idle hears 421, and it is over at once`, {
    skip: lacking,
  }, async (t) => {
    const server = await serveProtocol(t, "smtp", strategy, {
      options: { spool: "." },
      limits: { drain: "2m" },
    });
    const endpoint = await server.endpoint("smtp", "tcp");
    const peers = [await dial(t, endpoint)];
    // One waits for its first command, one for the end of its mail: alone there is one only.
    if (strategy !== "serial") peers.push(await dial(t, endpoint));
    for (const peer of peers) await peer.hears("220 smtp ESMTP\r\n");
    peers[1]?.send("MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\nSubject: half a ma");
    await peers[1]?.hears("354 ");
    const began = performance.now();
    const drained = server.ctl("drain", "smtp");
    for (const peer of peers) {
      await peer.over();
      assert.match(peer.text, /\r\n421 Shutting down\r\n$/);
      assert.equal(peer.ended, true);
      peer.leave();
    }
    const { code, out, err } = await drained;
    assert.equal(code, 0, out + err);
    const took = performance.now() - began;
    assert.ok(took < 60_000, `${took} ms of the two minutes that a drain may take`);
    assert.deepEqual(server.process.all({ level: /warn|error/ }), []);
  });

  test(`smtp, ${strategy}: a line that is too long is answered, then it ends in order`, {
    skip: lacking,
  }, async (t) => {
    const server = await serveProtocol(t, "smtp", strategy, { options: { spool: "." } });
    const peer = await dial(t, await server.endpoint("smtp", "tcp"));
    peer.send(`NOOP ${"x".repeat(5000)}\r\n`);
    await peer.over();
    assert.equal(peer.text, "220 smtp ESMTP\r\n500 Line too long\r\n");
    assert.deepEqual([peer.ended, peer.code], [true, undefined]);
  });

  // The clock is the plugin's: one in this thread, and one in a worker.
  if (strategy !== "async" && strategy !== "processes") continue;

  test(
    `smtp, ${strategy}: each line, and the whole, has its time`,
    { skip: lacking },
    async (t) => {
      const options = { spool: ".", timeout: "3s", session: "4s" };
      const server = await serveProtocol(t, "smtp", strategy, { options });
      const endpoint = await server.endpoint("smtp", "tcp");
      const silent = await dial(t, endpoint);
      await silent.over();
      assert.equal(silent.text, "220 smtp ESMTP\r\n421 Timeout\r\n");
      silent.leave();
      await server.process.record({ event: "close", reason: "error" });
      const chatty = await dial(t, endpoint);
      const timer = setInterval(() => chatty.send("NOOP\r\n"), 100);
      await chatty.over().finally(() => clearInterval(timer));
      assert.doesNotMatch(chatty.text, /Timeout/);
      await server.process.record({ event: "close", reason: "deadline" });
    },
  );
}

test("smtp: relative paths of options start at the manifest's folder", {
  skip: lackingPrograms("swaks"),
}, async (t) => {
  const server = await serveProtocol(t, "smtp", "async", { options: { spool: "mails" } });
  mkdirSync(join(server.home, "mails"));
  const port = await portOf(server, "smtp");
  await client("swaks", "--server", `127.0.0.1:${port}`, "--from", "a@b.cd", "--to", "e@f.gh");
  assert.equal(readdirSync(join(server.home, "mails")).length, 1);
});
