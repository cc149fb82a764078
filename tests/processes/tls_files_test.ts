/** Certificates of a running server: swapped under load, half there, over, in folders, behind links. */
import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { chmodSync, copyFileSync, mkdirSync, renameSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { connect, type TLSSocket } from "node:tls";
import { type CertificateName, certificates } from "../support/certificates.ts";
import type { Support } from "../../runtime/core/contract.ts";
import { adapter } from "../support/adapter.ts";
import { lackingPrograms } from "../support/packages.ts";
import { shell } from "../support/program.ts";
import { portico } from "../support/command.ts";
import { folder } from "../support/folder.ts";
import { ManagedServer } from "../support/managed-server.ts";
import { lackingOtherUsers } from "../support/permissions.ts";
import { failToStart, manifest } from "../support/server-process.ts";
import type { Scope } from "../support/scope.ts";
import { lackingStrategy } from "../support/strategies.ts";
import { within } from "../support/until.ts";

const made = certificates();
const ca = made.cert("ca");
const LISTEN = "tls://127.0.0.1:0";

const fingerprintOf = (name: CertificateName): string =>
  new X509Certificate(made.cert(name)).fingerprint256.replaceAll(":", "").toLowerCase();

/** Each file is put in the place of the one before at once; the two of a pair one after the other. */
function put(
  home: string,
  name: CertificateName,
  as = "s",
  parts: readonly ("pem" | "key")[] = ["pem", "key"],
): void {
  for (const part of parts) {
    copyFileSync(made.file(name, part), join(home, `${as}.${part}.new`));
    renameSync(join(home, `${as}.${part}.new`), join(home, `${as}.${part}`));
  }
}

const echo = (tls: object, more: object = {}): Record<string, unknown> => ({
  plugin: "echo",
  listen: LISTEN,
  tls,
  ...more,
});

const PAIR = { cert: "s.pem", key: "s.key" };

/** A server with a certificate in its folder. */
async function start(
  t: Scope,
  name: CertificateName,
  more: object = {},
  top: object = {},
): Promise<{ server: ManagedServer; home: string; port: number }> {
  const server = ManagedServer.prepare(t, { s: echo(PAIR, more) }, top);
  put(server.home, name);
  await server.start();
  return { server, home: server.home, port: await portOf(server, "s") };
}

async function portOf(server: ManagedServer, service: string): Promise<number> {
  const { endpoints } = await server.service(service);
  return Number(/:(\d+)$/.exec(endpoints[0]!)![1]);
}

/** Connects, and is through the handshake; the peer's certificate has to be good for the name. */
async function open(port: number, servername = "a.example"): Promise<TLSSocket> {
  const socket = connect({ host: "127.0.0.1", port, servername, ca });
  await within(
    "a handshake",
    new Promise<void>((resolve, reject) => {
      socket.once("secureConnect", resolve);
      socket.once("error", reject);
    }),
  );
  socket.on("error", () => {});
  return socket;
}

/** Whose certificate is shown. */
async function shown(port: number, servername?: string): Promise<string> {
  const socket = await open(port, servername);
  const { subject } = socket.getPeerCertificate();
  socket.destroy();
  return String(subject.CN);
}

/** Waits until the server has said so many times that it uses a certificate. */
async function inUse(server: ManagedServer, name: CertificateName, times = 1): Promise<void> {
  await server.process.record({ event: "log", fingerprint: fingerprintOf(name) }, times);
}

/** Whether openssl, in a session of its own or one that it has from before, was known again. */
async function session(
  t: Scope,
  home: string,
  port: number,
  words: string,
  stays = "sleep 0.3",
): Promise<string> {
  const client = `openssl s_client -connect 127.0.0.1:${port} ${words}`;
  // Some servers send tickets with the first bytes.
  const out = await shell(t, home, `(echo hello; ${stays}) | ${client} 2>&1 || true`);
  return /^(New|Reused), /m.exec(out)?.[1] ?? out;
}

/** Until openssl has a ticket, which comes behind the handshake: 10 s at most. */
const TICKET = "for i in $(seq 100); do [ -s session ] && break; sleep 0.1; done";

const lackOf = (support: Support | undefined): string | false =>
  support !== undefined && support !== true && support.reason;
const lackingTickets = lackOf(adapter.features.tls?.sharedTickets);
const lackingTime = lackOf(adapter.features.tls?.sessionTimeout);

describe("certificates of a running server", () => {
  for (const strategy of ["async", "processes"] as const) {
    test(
      `50 swaps under load: no handshake fails, each after one shows the new one (${strategy})`,
      {
        skip: lackingStrategy(strategy),
      },
      async (t) => {
        const concurrency = strategy === "async" ? strategy : { strategy, workers: 2 };
        const { server, home, port } = await start(t, "a", { concurrency });
        const failed: unknown[] = [];
        let [handshakes, over] = [0, false];
        const load = Array.from({ length: 3 }, async () => {
          while (!over) {
            await shown(port).then(() => handshakes++, (error) => failed.push(error));
          }
        });
        const live = await open(port);
        for (let swap = 1; swap <= 50; swap++) {
          const name = swap % 2 === 1 ? "renewed" : "a";
          put(home, name);
          // By turns the server is told, and finds it itself.
          if (swap % 4 !== 0) await server.reload();
          await inUse(server, name, Math.ceil(swap / 2));
          assert.equal(await shown(port), name, `swap ${swap}`);
        }
        over = true;
        await Promise.all(load);
        assert.deepEqual(failed, []);
        assert.ok(handshakes > 50, `${handshakes} handshakes`);
        // What was there before the first swap is as it was.
        live.write("still here");
        assert.equal(await within("an echo", once(live)), "still here");
        live.destroy();
        await server.process.stop();
      },
    );
  }

  test("a reload with nothing new but what is in the files restarts no service", async (t) => {
    const { server, home, port } = await start(t, "a");
    const live = await open(port);
    put(home, "b");
    const { unchanged, changed } = await server.reload();
    assert.deepEqual([unchanged, changed], [["s"], []]);
    assert.equal(await shown(port, "b.example"), "b");
    const { certificates: status } = await server.status();
    assert.deepEqual(status!.map(({ names, fingerprint }) => [names, fingerprint]), [
      [["b.example"], fingerprintOf("b")],
    ]);
    const table = await server.ctl("status");
    assert.match(table.out, /certificate of +valid until +file\nb\.example +20\S+Z +\/.*s\.pem/);
    live.destroy();
    await server.process.stop();
  });

  test("half of a pair changes nothing and is told of; with the other half the new one is there", async (t) => {
    const { server, home, port } = await start(t, "a");
    put(home, "b", "s", ["pem"]);
    await server.reload();
    const { message } = await server.process.record({ event: "error", code: "TLS_INVALID" });
    assert.match(
      String(message),
      /s\.key: not the key of the certificate in .*; what was read before stays in use$/,
    );
    assert.equal(await shown(port), "a");
    put(home, "b", "s", ["key"]);
    await inUse(server, "b");
    assert.equal(await shown(port, "b.example"), "b");
    for (const line of made.key("b").split("\n").filter((text) => /^[\w+/=]{20,}$/.test(text))) {
      assert.ok(!JSON.stringify(server.process.records).includes(line));
    }
    await server.process.stop();
  });

  for (const [how, words] of [["run", "run"], ["check", "check"]] as const) {
    test(`${how} tells of a certificate that is over, and of a key that is another's`, async (t) => {
      const home = folder(t, { "portico.json": manifest({ s: echo(PAIR) }) });
      const told = async (): Promise<string> => {
        if (words === "run") {
          const { code, block } = await failToStart(t, home);
          assert.equal(code, 2, block);
          return block;
        }
        const { code, out } = await portico("check", home);
        assert.equal(code, 2, out);
        return out;
      };
      put(home, "expired");
      assert.match(await told(), /s\.pem: expired at 20\S+Z/);
      put(home, "a", "s", ["pem"]);
      assert.match(await told(), /s\.key: not the key of the certificate in .*s\.pem \(CN=a\)/);
    });
  }

  test("check says until when a certificate is good, and what means nothing", async (t) => {
    const tls = { ...PAIR, ca: "ca.pem" };
    const home = folder(t, {
      "portico.json": manifest({ s: echo(tls, { listen: "tcp://127.0.0.1:0" }) }),
      "ca.pem": ca,
    });
    put(home, "a");
    chmodSync(join(home, "s.key"), 0o644);
    const { code, out } = await portico("check", home);
    assert.equal(code, 0, out);
    assert.match(out, /certificate of a\.example +until 20\S+Z/);
    assert.match(out, /tls\.ca +ca means nothing: no client is asked/);
    assert.match(out, /tls\.key +.*s\.key: everybody on this machine can read this key/);
    assert.match(out, /tls +no endpoint begins with it: only startTls\(\)/);
  });

  test("links are followed where they lead, as certbot and Kubernetes swap them", async (t) => {
    const server = ManagedServer.prepare(t, {
      live: echo({ folder: "live" }),
      pod: echo({ folder: "pod" }),
    });
    const { home } = server;
    // certbot: live/NAME/fullchain.pem → ../../archive/NAME/fullchain1.pem
    const archive = join(home, "archive/a.example");
    const live = join(home, "live/a.example");
    for (const path of [archive, live]) mkdirSync(path, { recursive: true });
    const renew = (name: CertificateName, number: number): void => {
      for (const [file, part] of [["fullchain", "pem"], ["privkey", "key"]] as const) {
        copyFileSync(made.file(name, part), join(archive, `${file}${number}.pem`));
        symlinkSync(`../../archive/a.example/${file}${number}.pem`, join(live, `${file}.new`));
        renameSync(join(live, `${file}.new`), join(live, `${file}.pem`));
      }
    };
    renew("a", 1);
    // Kubernetes: tls.crt → ..data/tls.crt, ..data → ..DATE
    const pod = join(home, "pod");
    mkdirSync(pod);
    const mount = (name: CertificateName, date: string): void => {
      mkdirSync(join(pod, date));
      copyFileSync(made.file(name), join(pod, date, "tls.crt"));
      copyFileSync(made.file(name, "key"), join(pod, date, "tls.key"));
      symlinkSync(date, join(pod, "..data.new"));
      renameSync(join(pod, "..data.new"), join(pod, "..data"));
    };
    mount("b", "..1");
    for (const file of ["tls.crt", "tls.key"]) symlinkSync(`..data/${file}`, join(pod, file));
    await server.start();
    const [first, second] = [await portOf(server, "live"), await portOf(server, "pod")];
    assert.equal(await shown(first), "a");
    assert.equal(await shown(second, "b.example"), "b");
    renew("renewed", 2);
    await inUse(server, "renewed");
    assert.equal(await shown(first), "renewed");
    mount("wildcard", "..2");
    await inUse(server, "wildcard");
    assert.equal(await shown(second, "x.w.example"), "wildcard");
    await server.process.stop();
  });

  test("a folder: by name, with a default; a name more is there when its files are", async (t) => {
    const server = ManagedServer.prepare(t, {
      s: echo({ folder: "certs", default: "b.example" }),
    });
    const at = join(server.home, "certs");
    mkdirSync(at);
    put(at, "a", "a");
    put(at, "b", "b");
    await server.start();
    const port = await portOf(server, "s");
    assert.equal(await shown(port, "a.example"), "a");
    await assert.rejects(open(port, "x.w.example"));
    put(at, "wildcard", "w");
    await inUse(server, "wildcard");
    assert.equal(await shown(port, "x.w.example"), "wildcard");
    assert.equal(await shown(port, "b.example"), "b");
    await server.process.stop();
  });

  test("a key that may not be read any more, once the server is another user, stays in use", {
    skip: lackingOtherUsers(),
  }, async (t) => {
    const { server, home, port } = await start(t, "a", {}, { user: "nobody", group: "nogroup" });
    chmodSync(home, 0o755);
    assert.equal(await shown(port), "a");
    await server.reload();
    const { message } = await server.process.record({ event: "error", code: "EACCES" });
    assert.match(
      String(message),
      /s\.key: no permission to read it any more; what was read before/,
    );
    assert.equal(await shown(port), "a");
    await server.process.stop();
  });

  test("a session is resumed after a new certificate, by each worker, and by a successor", {
    skip: lackingPrograms("openssl") || lackingStrategy("processes") || lackingTickets,
  }, async (t) => {
    const concurrency = { strategy: "processes", workers: 2 };
    const { server, home, port } = await start(t, "a", { concurrency });
    assert.equal(await session(t, home, port, "-sess_out session", TICKET), "New");
    const again = async (what: string): Promise<void> => {
      for (let i = 0; i < 4; i++) {
        assert.equal(await session(t, home, port, "-sess_in session"), "Reused", what);
      }
    };
    await again("at once");
    put(home, "b");
    await server.reload();
    await again("after a new certificate");
    await server.upgrade();
    await again("by a successor");
    await server.ask("stop");
  });

  test("sessions that are not to be resumed are not", {
    skip: lackingPrograms("openssl") || lackingTime,
  }, async (t) => {
    const server = ManagedServer.prepare(t, { s: echo({ ...PAIR, sessionTickets: false }) });
    put(server.home, "a");
    await server.start();
    const port = await portOf(server, "s");
    for (const version of ["-tls1_2", "-tls1_3"]) {
      await session(t, server.home, port, `${version} -sess_out session`);
      assert.notEqual(await session(t, server.home, port, `${version} -sess_in session`), "Reused");
    }
    await server.process.stop();
  });
});

async function once(socket: TLSSocket): Promise<string> {
  return await new Promise((resolve) => socket.once("data", (chunk) => resolve(String(chunk))));
}
