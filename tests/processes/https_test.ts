/** https of a server process: certificates that change, reloads, upgrades, under load. No request fails. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { copyFileSync, renameSync, writeFileSync } from "node:fs";
import { Agent, request } from "node:https";
import { connect } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import type { TLSSocket } from "node:tls";
import { certificates } from "../support/certificates.ts";
import { ManagedServer } from "../support/managed-server.ts";
import { limitDescriptors } from "../support/server-process.ts";
import { until, within } from "../support/until.ts";

const made = certificates();
const ca = made.cert("ca");

interface Asked {
  readonly fresh: boolean;
  readonly serial: string;
}

/** Asks again and again, every other time on a new connection, until it is stopped. */
class Load {
  readonly asked: Asked[] = [];
  readonly failures: unknown[] = [];
  readonly #port: number;
  readonly #agents: Agent[] = [];
  readonly #over: Promise<unknown>;
  #stopped = false;

  constructor(port: number) {
    this.#port = port;
    this.#over = Promise.all([true, false, false].map((fresh) => this.#run(fresh)));
  }

  async #run(fresh: boolean): Promise<void> {
    const agent = new Agent({ keepAlive: !fresh, maxSockets: 1, ca, maxCachedSessions: 0 });
    this.#agents.push(agent);
    while (!this.#stopped) {
      try {
        this.asked.push({ fresh, serial: await this.#ask(agent) });
      } catch (error) {
        this.failures.push(error);
      }
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  }

  async #ask(agent: Agent): Promise<string> {
    for (;;) {
      const sent = request({
        host: "127.0.0.1",
        servername: "a.example",
        port: this.#port,
        path: "/",
        agent,
      }).end();
      try {
        const [answer] = await within("an answer", once(sent, "response"));
        const { serialNumber } = (answer.socket as TLSSocket).getPeerCertificate();
        let text = "";
        for await (const chunk of answer.setEncoding("utf8")) text += chunk;
        assert.equal(text, "hello");
        return serialNumber;
      } catch (error) {
        // A kept connection that ends while it is asked on: RFC 9110, 9.2.2, has the client ask again.
        if (sent.reusedSocket && (error as { code?: string }).code === "ECONNRESET") continue;
        throw error;
      }
    }
  }

  /** Resolves when `count` more have been answered, some of them on new connections. */
  async more(count: number): Promise<void> {
    const from = this.asked.length;
    await until(
      `${count} more answers`,
      () => {
        const since = this.asked.slice(from);
        return since.length >= count && since.filter(({ fresh }) => fresh).length >= 3;
      },
    );
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#over;
    for (const agent of this.#agents) agent.destroy();
  }
}

test("certificates change, services are reloaded and suspended, servers succeed each other: no request fails", async (t) => {
  const services = (version: string) => ({
    web: {
      plugin: "http",
      listen: "https://127.0.0.1:0",
      tls: { cert: "./cert.pem", key: "./cert.key" },
      options: { app: "./app.mjs" },
      limits: { drain: "5s" },
      // A change of its own, so that it is another service.
      access: { allow: ["127.0.0.0/8", version] },
    },
  });
  const managed = ManagedServer.prepare(t, services("192.0.2.1"));
  const file = (name: string): string => join(managed.home, name);
  writeFileSync(file("app.mjs"), `export default { fetch: () => new Response("hello") };\n`);
  const swap = (name: "a" | "renewed"): void => {
    for (const ending of ["key", "pem"] as const) {
      copyFileSync(made.file(name, ending), file(`next.${ending}`));
      renameSync(file(`next.${ending}`), file(`cert.${ending}`));
    }
  };
  swap("a");
  await managed.start();
  const load = new Load(Number(new URL(await managed.endpoint("web", "https")).port));
  t.after(() => load.stop());
  await load.more(20);
  for (const [round, name] of (["renewed", "a", "renewed"] as const).entries()) {
    const before = load.asked.findLast(({ fresh }) => fresh)!.serial;
    swap(name);
    await managed.reload();
    await until(
      "the other certificate",
      () => load.asked.findLast(({ fresh }) => fresh)!.serial !== before,
    );
    await load.more(20);
    managed.write(services(`192.0.2.${round + 2}`));
    await managed.reload();
    await load.more(20);
  }
  await managed.ask("suspend", { service: "web" });
  await managed.ask("resume", { service: "web" });
  await load.more(20);
  for (const to of ["bun", "deno", "node"] as const) {
    await managed.upgrade(to);
    await load.more(20);
  }
  await load.stop();
  assert.deepEqual(load.failures, []);
});

test("a crowd that takes all descriptors is waited for, and whoever comes later is served", async (t) => {
  const managed = ManagedServer.prepare(t, {
    web: {
      plugin: "http",
      listen: "https://127.0.0.1:0",
      tls: { cert: made.file("server"), key: made.file("server", "key") },
      options: { app: "./app.mjs" },
      limits: { handshake: "5m" },
    },
  });
  writeFileSync(
    join(managed.home, "app.mjs"),
    `export default { fetch: () => new Response("hello") };\n`,
  );
  await managed.startAs({ through: limitDescriptors(150) });
  const port = Number(new URL(await managed.endpoint("web", "https")).port);
  // When it looks, all of them are there: a runtime that accepts as many as it can at once has no descriptor left.
  managed.process.signal("SIGSTOP");
  let cut = 0;
  const crowd = await within(
    "the crowd",
    Promise.all(Array.from({ length: 250 }, async () => {
      const socket = connect(port, "127.0.0.1").on("error", () => {});
      await once(socket, "connect");
      return socket.on("close", () => cut++).resume();
    })),
  );
  managed.process.signal("SIGCONT");
  await managed.process.record({ event: "error", code: "EMFILE" });
  assert.equal(cut, 0);
  for (const each of crowd) each.destroy();
  const sent = request({ host: "127.0.0.1", port, path: "/", ca, agent: false }).end();
  const [answer] = await within("an answer", once(sent, "response"));
  assert.equal(answer.statusCode, 200);
  answer.resume();
});
