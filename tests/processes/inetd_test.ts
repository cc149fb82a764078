/** Servers that inetd starts: their socket is standard input. */
import assert from "node:assert/strict";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { once } from "node:events";
import process from "node:process";
import tls from "node:tls";
import { describe, test, type TestContext } from "node:test";
import { ACCOUNTS, readUsers } from "../../runtime/identity/accounts.ts";
import { lackingFeature } from "../support/adapter.ts";
import { command, MAIN } from "../support/command.ts";
import { echoManifest } from "../support/echo.ts";
import { folder } from "../support/folder.ts";
import { lackingPrograms, pathOf } from "../support/packages.ts";
import { dial, openUdp } from "../support/peers.ts";
import { freePort } from "../support/ports.ts";
import { Program } from "../support/program.ts";
import { failToStart, type JsonRecord } from "../support/server-process.ts";
import { until, within } from "../support/until.ts";

/** An xinetd with one service, which starts a server of this manifest; its log and the server's. */
class Xinetd {
  readonly port: number;
  readonly home: string;

  private constructor(home: string, port: number) {
    this.home = home;
    this.port = port;
  }

  static async start(t: TestContext, service: object, lines: readonly string[]): Promise<Xinetd> {
    const port = await freePort();
    const home = folder(t, {});
    const log = { type: "file", path: "portico.log", level: "debug" };
    const services = { echo: { plugin: "echo", listen: "stdio:", ...service } };
    // A console sink beside the file: it must not be heard by the peer.
    const text = JSON.stringify({ defaults: { log: [log, "console"] }, services });
    writeFileSync(join(home, "portico.json"), text);
    const [program, words] = command(MAIN, "run", home);
    const entries = [
      "type = UNLISTED",
      "disable = no",
      "bind = 127.0.0.1",
      `port = ${port}`,
      `user = ${readUsers(ACCOUNTS.passwd).find(({ uid }) => uid === process.getuid!())?.name}`,
      `server = ${program}`,
      `server_args = ${words.join(" ")}`,
      `log_type = FILE ${home}/xinetd.log`,
      "log_on_success = PID EXIT",
      ...lines,
    ];
    writeFileSync(
      join(home, "xinetd.conf"),
      `service portico-echo\n{\n${entries.map((line) => `\t${line}\n`).join("")}}\n`,
    );
    const files = ["-f", `${home}/xinetd.conf`, "-filelog", `${home}/main.log`];
    new Program(t, home, pathOf("xinetd")!, "-dontfork", "-pidfile", `${home}/pid`, ...files);
    const xinetd = new Xinetd(home, port);
    await until(
      () => `xinetd to work: ${xinetd.read("main.log")}`,
      () => xinetd.read("main.log").includes("Started working: 1 available service"),
    );
    return xinetd;
  }

  read(name: string): string {
    const path = join(this.home, name);
    return existsSync(path) ? readFileSync(path, "utf8") : "";
  }

  /** The records of all servers that it has started. */
  records(event: string): JsonRecord[] {
    return this.read("portico.log").split("\n").slice(0, -1)
      .map((line) => JSON.parse(line) as JsonRecord).filter((line) => line.event === event);
  }

  /** Waits until so many servers have ended, with 0. */
  async ended(count: number): Promise<void> {
    const exits = (): string[] => this.read("xinetd.log").match(/EXIT: .*/g) ?? [];
    await until(
      () => `${count} ends: ${this.read("xinetd.log")}${this.read("portico.log")}`,
      () => exits().length >= count,
    );
    for (const exit of exits()) assert.match(exit, / status=0 /);
    assert.equal(exits().length, count);
  }
}

const skip = lackingFeature("descriptors") || lackingPrograms("xinetd");

const STREAM = ["socket_type = stream", "protocol = tcp"];

describe("stdio:", () => {
  test(
    "stdio: is one connection of inetd, nowait: a process for each",
    { skip },
    async (t) => {
      const xinetd = await Xinetd.start(t, {}, [...STREAM, "wait = no"]);
      const peers = await Promise.all(
        [1, 2].map(() => dial(t, `tcp://127.0.0.1:${xinetd.port}`)),
      );
      await Promise.all(peers.map((peer, i) => peer.echo(`hello ${i}`)));
      for (const peer of peers) peer.end();
      for (const peer of peers) await peer.over();
      await xinetd.ended(2);
      // Nothing but the echo: the log goes where the peer is not.
      assert.deepEqual(peers.map(({ text, code }) => [text, code]), [
        ["hello 0", undefined],
        ["hello 1", undefined],
      ]);
      const opens = xinetd.records("open");
      const remotes = opens.map(({ remote }) => remote).toSorted();
      assert.deepEqual(remotes, peers.map(({ name }) => name).toSorted());
      assert.equal(xinetd.records("start").length, 2);
      assert.equal(xinetd.records("close").every(({ reason }) => reason === "peer"), true);
      assert.equal(xinetd.records("stop").length, 2);
    },
  );
  for (const wait of ["no", "yes"]) {
    test(`stdio: speaks TLS, wait = ${wait}`, { skip }, async (t) => {
      const listen = { endpoint: "stdio:", tls: "self-signed" };
      const service = { listen, limits: { idle: "1s" } };
      const xinetd = await Xinetd.start(t, service, [...STREAM, `wait = ${wait}`]);
      const socket = tls.connect({
        port: xinetd.port,
        host: "127.0.0.1",
        rejectUnauthorized: false,
      });
      t.after(() => void socket.destroy());
      socket.write("hello");
      assert.equal(String((await within("an answer", once(socket, "data")))[0]), "hello");
      socket.end();
      await xinetd.ended(1);
      assert.deepEqual(xinetd.records("close").map(({ reason }) => reason), ["peer"]);
    });
  }
  test("stdio: is a listening socket of inetd, wait: one process, until nobody comes", {
    skip,
  }, async (t) => {
    const service = { limits: { idle: "1s" } };
    const xinetd = await Xinetd.start(t, service, [...STREAM, "wait = yes"]);
    const endpoint = `tcp://127.0.0.1:${xinetd.port}`;
    for (const round of [1, 2]) {
      const peers = await Promise.all([1, 2, 3].map(() => dial(t, endpoint)));
      await Promise.all(peers.map((peer, i) => peer.echo(`hello ${i}`)));
      for (const peer of peers) peer.end();
      for (const peer of peers) await peer.over();
      await xinetd.ended(round);
      assert.equal(xinetd.records("start").length, round, "one process for all that came");
      assert.equal(peers[2]!.text, "hello 2");
    }
    assert.equal(xinetd.records("open").length, 6);
  });
  test("stdio: is a datagram socket of inetd, wait", { skip }, async (t) => {
    const service = { limits: { idle: "1s" } };
    const lines = ["socket_type = dgram", "protocol = udp", "wait = yes"];
    const xinetd = await Xinetd.start(t, service, lines);
    const endpoint = `udp://127.0.0.1:${xinetd.port}`;
    const sender = await openUdp(t);
    for (const round of [1, 2]) {
      for (const text of ["hello", "again"]) {
        assert.equal(new TextDecoder().decode(await sender.ask(text, endpoint)), text);
      }
      await xinetd.ended(round);
      assert.equal(xinetd.records("start").length, round);
    }
  });
  test(
    "stdio: refuses what is no socket",
    { skip: lackingFeature("descriptors") },
    async (t) => {
      // Standard error is where its records go: here it is for the reason alone.
      const home = folder(t, echoManifest({ listen: "stdio:", log: "none" }));
      const { block } = await failToStart(t, home, ["sh", "-c", 'exec "$0" "$@" < /dev/null']);
      assert.match(
        block,
        /stdio: descriptor 0 is no socket \(services\.echo\.listen\)\nat .*portico\.json:1:\d+$/,
      );
    },
  );
});
