/** STARTTLS as its clients do it: openssl and swaks against the example of SMTP, on every strategy. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { lackingPrograms, pathOf } from "../support/packages.ts";
import { dial } from "../support/peers.ts";
import { ManagedServer } from "../support/managed-server.ts";
import type { Scope } from "../support/scope.ts";
import { lackingStrategy, SAMPLE } from "../support/strategies.ts";
import { within } from "../support/until.ts";
import { client, portOf } from "../support/protocols.ts";

const PLUGIN = fileURLToPath(new URL("../../examples/smtp/smtp.ts", import.meta.url).href);

function start(scope: Scope, strategy: string): Promise<ManagedServer> {
  return ManagedServer.start(scope, {
    smtp: {
      plugin: PLUGIN,
      listen: ["tcp://127.0.0.1:0", "tls://127.0.0.1:0"],
      tls: "self-signed",
      concurrency: strategy,
    },
  });
}

/** What a client at the terminal sees. */
async function talk(words: readonly string[], say: string, until: RegExp): Promise<string> {
  const child = spawn(pathOf("openssl")!, words, { stdio: ["pipe", "pipe", "pipe"] });
  let text = "";
  const done = new Promise<void>((resolve) => {
    child.stdout.on("data", (chunk) => {
      text += String(chunk);
      if (until.test(text)) resolve();
    });
    child.once("close", () => resolve());
  });
  child.stdin.write(say);
  await within("what openssl shows", done);
  child.kill();
  await once(child, "close");
  return text;
}

for (const strategy of SAMPLE) {
  const lacking = lackingStrategy(strategy);

  test(`smtp, ${strategy}: swaks delivers by STARTTLS, and by TLS from the first byte on`, {
    skip: lackingPrograms("swaks") || lacking,
  }, async (t) => {
    const server = await start(t, strategy);
    const mail = ["--from", "a@example.org", "--to", "b@example.org", "--body", "hello"];
    const clear = await portOf(server, "smtp");
    const out = await client("swaks", "--server", `127.0.0.1:${clear}`, "--tls", ...mail);
    assert.match(out, /=== TLS started with cipher TLSv1\.3/);
    const secure = await portOf(server, "smtp", "tls");
    await client("swaks", "--server", `127.0.0.1:${secure}`, "--tls-on-connect", ...mail);
    await server.process.count(2, { event: "log", text: "a mail", tls: "TLSv1.3" });
    await server.process.count(2, { event: "close", reason: "done" });
  });

  test(`smtp, ${strategy}: openssl begins TLS, and is greeted anew`, {
    skip: lackingPrograms("openssl") || lacking,
  }, async (t) => {
    const server = await start(t, strategy);
    const port = await portOf(server, "smtp");
    const words = ["s_client", "-crlf", "-starttls", "smtp", "-connect", `127.0.0.1:${port}`];
    const text = await talk(words, "MAIL FROM:<a@b>\nEHLO me\nSTARTTLS\nQUIT\n", /221 Bye/);
    assert.match(text, /Protocol *(?:version)?: TLSv1\.3|New, TLSv1\.3/);
    assert.match(
      text,
      /503 EHLO first\r?\n250-smtp\r?\n250 SIZE 1048576\r?\n503 TLS is there already\r?\n221 Bye/,
    );
  });

  test(`smtp, ${strategy}: what somebody has put behind STARTTLS is never heard`, {
    skip: lacking,
  }, async (t) => {
    const server = await start(t, strategy);
    const peer = await dial(t, await server.endpoint("smtp", "tcp"));
    await peer.hears("220 smtp ESMTP\r\n");
    peer.send("EHLO me\r\n");
    await peer.hears("250 SIZE 1048576\r\n");
    peer.send("STARTTLS\r\nRSET\r\nMAIL FROM:<evil@example.org>\r\n");
    await peer.over();
    assert.match(peer.text, /220 Go ahead\r\n$/);
    const close = await server.process.record({ event: "close" });
    assert.deepEqual([close["reason"], close["code"]], ["error", "TLS_INJECTION"]);
  });
}
