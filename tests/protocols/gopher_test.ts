/** Gopher: one line, one answer, the end. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { lackingPrograms } from "../support/packages.ts";
import { client, portOf, serveProtocol } from "../support/protocols.ts";
import { lackingStrategy, SAMPLE } from "../support/strategies.ts";

const big = "A line of many. ".repeat(500_000).trim();

for (const strategy of SAMPLE) {
  const skip = lackingPrograms("curl") || lackingStrategy(strategy);
  test(`gopher, ${strategy}: curl reads the menu, and what it names`, { skip }, async (t) => {
    const options = { texts: { about: "Hello from the burrow", big } };
    const server = await serveProtocol(t, "gopher", strategy, { options });
    const base = `gopher://127.0.0.1:${await portOf(server, "gopher")}`;
    const read = (path: string): Promise<string> =>
      client("curl", "--silent", "--show-error", "--max-time", 20, `${base}/${path}`);
    const menu = await read("");
    const line = /^0about\tabout\t127\.0\.0\.1\t(\d+)\r\n/.exec(menu);
    assert.equal(line?.[1], await portOf(server, "gopher"), menu);
    assert.equal(await read("0about"), "Hello from the burrow\r\n.\r\n");
    assert.equal(await read("0big"), `${big}\r\n.\r\n`);
    assert.match(await read("0nothing"), /^3nothing there/);
    await server.process.count(4, { event: "close", reason: "done" });
  });
}
