/** A configuration that a real xinetd serves, and what Portico makes of it: the same peers hear the same. */
import assert from "node:assert/strict";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { test, type TestContext } from "node:test";
import { ACCOUNTS, readUsers } from "../../runtime/identity/accounts.ts";
import { lackingFeature } from "../support/adapter.ts";
import { portico } from "../support/command.ts";
import { folder } from "../support/folder.ts";
import { lackingPrograms, pathOf } from "../support/packages.ts";
import { dial } from "../support/peers.ts";
import { freePort } from "../support/ports.ts";
import { Program } from "../support/program.ts";
import { startServer } from "../support/server-process.ts";
import { until } from "../support/until.ts";
import { sendSignal } from "../support/proc.ts";

const skip = lackingPrograms("xinetd") || lackingFeature("descriptors");

/** What a peer hears that says this, and then no more; after it has heard as much, with `echo`. */
async function hear(t: TestContext, port: number, says: string, echo: boolean): Promise<string> {
  const peer = await dial(t, `tcp://127.0.0.1:${port}`);
  peer.send(says);
  if (echo) await peer.when("the echo", () => peer.received === says.length);
  peer.end();
  await peer.when("the end", () => peer.ended || peer.gone);
  return peer.text;
}

test("xinetd's services, imported, answer as they did", { skip }, async (t) => {
  const user = readUsers(ACCOUNTS.passwd).find(({ uid }) => uid === process.getuid!())!.name;
  const ports = [await freePort(), await freePort(), await freePort(), await freePort()] as const;
  const services = {
    copy: ["server = /bin/cat", "instances = 10"],
    count: ["server = /usr/bin/wc", "server_args = -c", "env = A=1"],
    relay: [`redirect = 127.0.0.1 ${ports[0]}`],
    closed: ["server = /bin/cat", "no_access = 127.0.0.0"],
  };
  const text = Object.entries(services).map(([name, lines], at) =>
    [
      `service ${name}`,
      "{",
      ...["type = UNLISTED", "bind = 127.0.0.1", `port = ${ports[at]}`, "socket_type = stream"],
      ...["protocol = tcp", "wait = no", `user = ${user}`, ...lines],
      "}",
      "",
    ].join("\n")
  ).join("");
  const home = folder(t, { "xinetd.conf": text });
  const says = ["one\ntwo\n", "twelve bytes", "through\n", "nobody hears this"];
  const asked = async (): Promise<string[]> => {
    const heard: string[] = [];
    for (const [at, port] of ports.entries()) {
      // xinetd's redirect passes nothing on any more when one side has ended.
      heard.push(await hear(t, port, says[at]!, at === 2));
    }
    return heard;
  };

  const log = join(home, "main.log");
  const files = ["-f", join(home, "xinetd.conf"), "-filelog", log];
  const xinetd = new Program(
    t,
    home,
    pathOf("xinetd")!,
    "-dontfork",
    "-pidfile",
    join(home, "pid"),
    ...files,
  );
  const read = (): string => existsSync(log) ? readFileSync(log, "utf8") : "";
  await until(
    () => `xinetd to work: ${read()}`,
    () => read().includes("Started working: 4 available services"),
  );
  const before = await asked();
  assert.deepEqual(before.map((one) => one.trim()), ["one\ntwo", "12", "through", ""]);
  sendSignal(Number(readFileSync(join(home, "pid"), "utf8")), "SIGTERM");
  await xinetd.ended();

  const made = await portico("import", join(home, "xinetd.conf"));
  assert.equal(made.code, 0, made.err);
  writeFileSync(join(home, "portico.json"), made.out);
  const server = await startServer(t, home);
  assert.deepEqual(await asked(), before);
  await server.stop();
});
