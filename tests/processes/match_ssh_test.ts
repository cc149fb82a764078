/** The real sshd behind `match`: by what its clients say first, on a port with something else. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { lackingFeature } from "../support/adapter.ts";
import { folder } from "../support/folder.ts";
import { ManagedServer } from "../support/managed-server.ts";
import { lackingPrograms, pathOf } from "../support/packages.ts";
import { dial } from "../support/peers.ts";
import { freePort } from "../support/ports.ts";
import { Program, shell } from "../support/program.ts";
import type { Scope } from "../support/scope.ts";
import { until } from "../support/until.ts";

const LACKING = lackingFeature("descriptors") || lackingPrograms("sshd", "ssh", "ssh-keygen");

/** Starts one that lets in whoever runs this test by a key of its own. @returns its port, and what ssh needs. */
async function startSshd(t: Scope): Promise<{ port: number; home: string; words: string }> {
  const home = folder(t, {});
  const port = await freePort();
  await shell(
    t,
    home,
    "ssh-keygen -q -t ed25519 -N '' -f host && ssh-keygen -q -t ed25519 -N '' -f mine",
  );
  chmodSync(home, 0o700);
  // Where it leaves its privileges behind; its package makes it.
  if (process.getuid?.() === 0) mkdirSync("/run/sshd", { recursive: true });
  writeFileSync(join(home, "authorized"), readFileSync(join(home, "mine.pub")));
  writeFileSync(
    join(home, "config"),
    [
      `ListenAddress 127.0.0.1:${port}`,
      `HostKey ${join(home, "host")}`,
      `AuthorizedKeysFile ${join(home, "authorized")}`,
      "PidFile none",
      "UsePAM no",
      "StrictModes no",
      "PermitRootLogin prohibit-password",
    ].join("\n") + "\n",
  );
  const sshd = new Program(t, home, pathOf("sshd")!, "-D", "-e", "-f", join(home, "config"));
  await until(
    () => `sshd to listen: ${sshd.errors}`,
    () => sshd.errors.includes("Server listening") || sshd.code !== undefined,
  );
  assert.equal(sshd.code, undefined, sshd.errors);
  writeFileSync(join(home, "known"), `match ${readFileSync(join(home, "host.pub"), "utf8")}`);
  // Not every runtime knows it where no variable says it.
  const user = execFileSync("id", ["-un"], { encoding: "utf8" }).trim();
  const words = [
    ["BatchMode=yes", "HostKeyAlias=match", "StrictHostKeyChecking=yes", "IdentitiesOnly=yes"],
    [`UserKnownHostsFile=${join(home, "known")}`, `IdentityFile=${join(home, "mine")}`],
  ].flat().map((option) => `-o ${option}`).join(" ");
  return { port, home, words: `ssh -F none ${words} ${user}@127.0.0.1` };
}

test("ssh reaches the sshd of a machine on a port that also serves something else", {
  skip: LACKING,
}, async (t) => {
  const { port, home, words } = await startSshd(t);
  const server = await ManagedServer.start(t, {
    front: {
      listen: "tcp://127.0.0.1:0",
      match: {
        wait: "20s",
        routes: [{ when: "ssh", service: "ssh" }, { otherwise: "echo" }],
      },
    },
    ssh: { plugin: "proxy", options: { to: `tcp://127.0.0.1:${port}` } },
    echo: { plugin: "echo" },
  });
  const endpoint = await server.endpoint("front", "tcp");
  const place = Number(endpoint.split(":").at(-1));
  // A command with what goes in, comes out and is told at the end, and more than fits into one buffer.
  const size = 3_000_000;
  const out = await shell(
    t,
    home,
    `head -c ${size} /dev/zero | ${words} -p ${place} 'wc -c; head -c ${size} /dev/zero; exit 7' > out 2> said; echo "code $?"; wc -c < out; cat said`,
  );
  const digits = String(size).length + 1;
  assert.equal(out.replaceAll(/ +/g, " ").trim(), `code 7\n${size + digits}`);
  const peer = await dial(t, endpoint);
  await peer.echo("nobody of SSH");
  peer.end();
  const { served } = await server.service("ssh");
  assert.equal(served, 1);
  await server.process.stop();
});
