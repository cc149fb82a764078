/** FTP: each transfer has a connection of its own, from the client (passive) or to it (active). */
import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { folder } from "../support/folder.ts";
import { lackingPrograms } from "../support/packages.ts";
import { dial } from "../support/peers.ts";
import { client, portOf, serveProtocol, tryClient } from "../support/protocols.ts";
import { lackingStrategy, SAMPLE } from "../support/strategies.ts";

const MODES = {
  "passive, EPSV": [],
  "passive, PASV": ["--disable-epsv"],
  "active, EPRT": ["--ftp-port", "-"],
  "active, PORT": ["--ftp-port", "-", "--disable-eprt"],
} as const;

for (const strategy of SAMPLE) {
  const lacking = lackingStrategy(strategy);
  const skip = lackingPrograms("curl") || lacking;

  test(
    `ftp, ${strategy}: curl lists, reads and writes in passive and active mode`,
    { skip },
    async (t) => {
      const files = folder(t, { "small.txt": "a small one\n", "sub/inner.txt": "inside" });
      const bytes = new Uint8Array(8 * 1024 * 1024).map((_, i) => (i * 7919) >> 5);
      writeFileSync(join(files, "big.bin"), bytes);
      const outside = folder(t, { "empty": "" });
      const server = await serveProtocol(t, "ftp", strategy, { options: { root: files } });
      const base = `ftp://127.0.0.1:${await portOf(server, "ftp")}`;
      const how = ["-sS", "--max-time", "30"];
      for (const [mode, words] of Object.entries(MODES)) {
        const curl = (...more: string[]): Promise<string> =>
          client("curl", ...how, ...words, ...more);
        const listing = await curl(`${base}/`);
        assert.match(listing, /^-rw-r--r-- 1 ftp ftp 12 Jan 01 00:00 small\.txt\r?$/m, mode);
        assert.match(listing, /^drw.* sub\r?$/m);
        assert.match(await curl("--list-only", `${base}/sub/`), /^inner\.txt\r?\n$/);
        // Two files in one session, and in it two connections.
        assert.equal(
          await curl(`${base}/small.txt`, `${base}/sub/inner.txt`),
          "a small one\ninside",
        );
        const copy = join(outside, "copy.bin");
        await curl(`${base}/big.bin`, "-o", copy);
        assert.ok(readFileSync(copy).equals(bytes), mode);
        await curl("-T", copy, `${base}/up.bin`);
        assert.ok(readFileSync(join(files, "up.bin")).equals(bytes), mode);
        await curl("-T", join(outside, "empty"), `${base}/up.bin`);
        assert.equal(readFileSync(join(files, "up.bin")).length, 0);
      }
      const { code } = await tryClient("curl", ...how, `${base}/nothing`);
      assert.notEqual(code, 0);
      await server.until("ftp", ({ live }) => live === 0);
      assert.deepEqual(server.process.all({ level: /warn|error/ }), []);
    },
  );

  test(`ftp, ${strategy}: at a drain a transfer goes on to its end, then its client hears 421`, {
    skip: lacking,
  }, async (t) => {
    const files = folder(t, {});
    const server = await serveProtocol(t, "ftp", strategy, { options: { root: files } });
    const control = await dial(t, await server.endpoint("ftp", "tcp"));
    control.send("USER a\r\nPASS b\r\nEPSV\r\nSTOR up.txt\r\n");
    await control.hears("150 ");
    const port = /\|\|\|(\d+)\|/.exec(control.text)![1]!;
    const data = await dial(t, `tcp://127.0.0.1:${port}`);
    data.send("first half, ");
    const drained = server.ctl("drain", "ftp");
    await server.until("ftp", ({ state }) => state !== "running");
    data.send("second half");
    data.end();
    await control.over();
    assert.match(control.text, /\r\n226 Done\r\n421 Shutting down\r\n$/);
    control.leave();
    assert.equal((await drained).code, 0);
    assert.equal(readFileSync(join(files, "up.txt"), "utf8"), "first half, second half");
    assert.deepEqual(server.process.all({ level: /warn|error/ }), []);
  });

  test(`ftp, ${strategy}: a data connection is its client's alone, and is cut with 426`, {
    skip: lacking,
  }, async (t) => {
    const files = folder(t, { "a.txt": "x".repeat(50_000_000) });
    mkdirSync(join(files, "sub"));
    const server = await serveProtocol(t, "ftp", strategy, { options: { root: files } });
    const control = await dial(t, await server.endpoint("ftp", "tcp"));
    control.send("PORT 127,0,0,2,0,1\r\n");
    await control.hears("501 That is somebody else\r\n");
    control.send("PORT 127,0,0,1,0,1\r\nNLST\r\n");
    await control.hears("\r\n425 ");
    control.send("EPSV\r\nRETR a.txt\r\n");
    await control.hears("|)\r\n150 ");
    const port = /\|\|\|(\d+)\|/.exec(control.text)![1]!;
    const data = await dial(t, `tcp://127.0.0.1:${port}`);
    await data.when("some of it", () => data.received > 0);
    data.reset();
    await control.hears("\r\n426 ");
    control.send("QUIT\r\n");
    await control.hears("\r\n221 Bye\r\n");
    await control.over();
    control.leave();
    await server.until("ftp", ({ live }) => live === 0);
  });

  test(`ftp, ${strategy}: who has come for a transfer that is none does not stay`, {
    skip: lacking,
  }, async (t) => {
    const server = await serveProtocol(t, "ftp", strategy, { options: { root: folder(t, {}) } });
    const control = await dial(t, await server.endpoint("ftp", "tcp"));
    for (let round = 1; round <= 30; round++) {
      control.send("EPSV\r\n");
      const port = async (): Promise<string> => {
        await control.when("a port", () => control.text.split("\r\n229 ").length === round + 1);
        return /^.*\|\|\|(\d+)\|/s.exec(control.text)![1]!;
      };
      // It comes, and the listener is closed, in one moment; who has come stays as long as it is let.
      const data = dial(t, `tcp://127.0.0.1:${await port()}`).catch(() => {});
      await new Promise<void>((resolve) => setImmediate(resolve));
      control.send("RETR nothing\r\n");
      await control.when("no", () => control.text.split("\r\n550 ").length === round + 1);
      await data;
    }
    control.end();
    await server.until("ftp", ({ live }) => live === 0);
  });
}
