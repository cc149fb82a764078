/** Each example, started from its own manifest, and talked to as its head says. */
import assert from "node:assert/strict";
import { once } from "node:events";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { describe, test, type TestContext } from "node:test";
import { createServer as createTls } from "node:tls";
import { fileURLToPath } from "node:url";
import { parseEndpoint } from "../../runtime/core/endpoint.ts";
import { lackingFeature, lackingTransport } from "../support/adapter.ts";
import { certificates } from "../support/certificates.ts";
import { folder } from "../support/folder.ts";
import { knock } from "../support/peers.ts";
import { freePort } from "../support/ports.ts";
import { lackingPrograms } from "../support/packages.ts";
import { Program, shell } from "../support/program.ts";
import { get } from "../support/requests.ts";
import { type ServerProcess, startServer } from "../support/server-process.ts";
import { until } from "../support/until.ts";

const EXAMPLES = fileURLToPath(new URL("../../examples", import.meta.url).href);
const noUnixgram = lackingTransport("unixgram");

interface Example {
  readonly root: string;
  /** The manifest as it stands in the repository. */
  readonly head: string;
  readonly server: ServerProcess;
}

/** A root with one example in it: as it is, but for the ports, which the kernel chooses when `free` asks it to. */
async function example(
  t: TestContext,
  name: string,
  free = (head: string): string => head.replace(/("(?:tcp|udp):\/\/127\.0\.0\.1):\d+"/g, '$1:0"'),
): Promise<Example> {
  const root = folder(t, {});
  const home = join(root, "examples", name);
  mkdirSync(home, { recursive: true });
  for (const file of readdirSync(join(EXAMPLES, name))) {
    if (/\.(?:ts|sh)$/.test(file)) symlinkSync(join(EXAMPLES, name, file), join(home, file));
  }
  const head = readFileSync(join(EXAMPLES, name, "portico.json"), "utf8");
  const freed = free(head);
  assert.notEqual(freed, head);
  // What cannot be had here is refused before anything is bound; the other transports are tried all the same.
  const possible = noUnixgram === false ? freed : freed.replace(/,\s*"unixgram:[^"]*"/, "");
  writeFileSync(join(home, "portico.json"), possible);
  return { root, head, server: await startServer(t, `examples/${name}`, { cwd: root }) };
}

function port(server: ServerProcess, service: string, transport: "tcp" | "tls" | "udp"): number {
  return (parseEndpoint(server.endpoint(service, transport)) as { port: number }).port;
}

describe("examples/echo", () => {
  test("examples/echo answers nc and socat on all four transports, as its head says", {
    skip: lackingPrograms("nc", "socat"),
  }, async (t) => {
    const { root, head, server } = await example(t, "echo");
    const tried = async (line: string, real: string = line): Promise<void> => {
      assert.ok(head.includes(line), `the head has no ${line}`);
      assert.equal(await shell(t, root, real), "hello", line);
    };
    const over = (transport: "tcp" | "udp", line: string): Promise<void> =>
      tried(line, line.replace("7007", `${port(server, "echo", transport)}`));
    await Promise.all([
      over("tcp", "printf hello | nc -q1 127.0.0.1 7007"),
      over("udp", "printf hello | nc -u -w1 127.0.0.1 7007"),
      tried("printf hello | nc -q1 -U examples/echo/echo.sock"),
      noUnixgram !== false ||
      tried("printf hello | socat -t1 - UNIX-SENDTO:examples/echo/echo.dgram,bind=me.sock"),
    ]);
    await server.stop();
    for (const file of ["examples/echo/echo.sock", "examples/echo/echo.dgram", "me.sock"]) {
      assert.equal(existsSync(join(root, file)), false, file);
    }
  });
  test("examples/echo listens on Unix datagrams too, beside its manifest", {
    skip: noUnixgram,
  }, async (t) => {
    const { root, server } = await example(t, "echo");
    assert.equal(server.endpoint("echo", "unixgram"), "unixgram:examples/echo/echo.dgram");
    assert.equal(existsSync(join(root, "examples/echo/echo.dgram")), true);
  });
});

describe("examples/classics", () => {
  /** What nc prints that is given nothing to say, and waits for the end. */
  const listen = (t: TestContext, server: ServerProcess, service: string): Promise<string> =>
    shell(t, ".", `nc 127.0.0.1 ${port(server, service, "tcp")} </dev/null`);
  /** What nc prints that sends one datagram, and waits a second. */
  const ask = (
    t: TestContext,
    server: ServerProcess,
    service: string,
    say = "echo",
  ): Promise<string> =>
    shell(t, ".", `${say} | nc -u -w1 127.0.0.1 ${port(server, service, "udp")}`);

  const DAYTIME = /^\d\d [A-Z]{3} \d{4} \d\d:\d\d:\d\d UTC\r\n$/;
  /** RFC 868 counts from 1900. */
  const now = (): number => Math.floor(Date.now() / 1000) + 2_208_988_800;
  const seconds = (bytes: Uint8Array): number => new DataView(bytes.buffer).getUint32(0);

  test(
    "examples/classics answers nc on TCP: all six services",
    { skip: lackingPrograms("nc") },
    async (t) => {
      const { server } = await example(t, "classics");
      const tcp = (service: string): number => port(server, service, "tcp");
      const [echo, discard, daytime, qotd, chargen] = await Promise.all([
        shell(t, ".", `printf hello | nc -N 127.0.0.1 ${tcp("echo")}`),
        shell(t, ".", `head -c 1000000 /dev/zero | nc -N 127.0.0.1 ${tcp("discard")}`),
        listen(t, server, "daytime"),
        listen(t, server, "qotd"),
        shell(t, ".", `nc 127.0.0.1 ${tcp("chargen")} </dev/null | head -n 3`),
      ]);
      assert.equal(echo, "hello");
      assert.equal(discard, "");
      const [closed] = await server.count(1, { event: "close", service: "discard" });
      assert.deepEqual([closed!["bytesIn"], closed!["bytesOut"]], [1_000_000, 0]);
      assert.match(daytime, DAYTIME);
      assert.match(qotd, /^[^\r\n]{1,509}\r\n$/);
      const ascii = String.fromCharCode(...Array.from({ length: 95 }, (_, i) => i + 32));
      const lines = [ascii.slice(0, 72), ascii.slice(1, 73), ascii.slice(2, 74), ""];
      assert.deepEqual(chargen.split("\r\n"), lines);
      const time = new Program(t, ".", "nc", "127.0.0.1", `${tcp("time")}`);
      time.end();
      await time.ended();
      assert.equal(time.out.length, 4);
      assert.ok(Math.abs(seconds(time.out) - now()) <= 10, `${time.out}`);
    },
  );
  test(
    "examples/classics answers nc on UDP: all six services, none with more than twice the request",
    { skip: lackingPrograms("nc") },
    async (t) => {
      const { server } = await example(t, "classics");
      const time = new Program(
        t,
        ".",
        "nc",
        "-u",
        "-w1",
        "127.0.0.1",
        `${port(server, "time", "udp")}`,
      );
      time.send("\n");
      const [echo, discard, daytime, qotd, chargen] = await Promise.all([
        ask(t, server, "echo", "printf hello"),
        ask(t, server, "discard"),
        ask(t, server, "daytime"),
        ask(t, server, "qotd", "head -c 600 /dev/zero"),
        ask(t, server, "chargen"),
        time.ended(),
      ]);
      assert.equal(echo, "hello");
      assert.equal(discard, "");
      assert.match(daytime, DAYTIME);
      assert.match(qotd, /^[^\r\n]{1,509}\r\n$/);
      // A line end and 28 bytes of headers, twice, less the headers of the answer.
      assert.equal(chargen.length, 2 * (1 + 28) - 28);
      assert.equal(time.out.length, 4);
      assert.ok(Math.abs(seconds(time.out) - now()) <= 10, `${time.out}`);
    },
  );
});

describe("examples/owner", () => {
  test("examples/owner counts once for all workers, and says which of them has answered", {
    skip: lackingFeature("descriptors") || lackingPrograms("nc"),
  }, async (t) => {
    const { root, server } = await example(t, "owner");
    const client = (line: string): Promise<string> =>
      shell(t, root, `printf '${line}\\n' | nc -N 127.0.0.1 ${port(server, "front", "tcp")}`);
    const answers = await Promise.all(Array.from({ length: 8 }, () => client("incr a")));
    assert.deepEqual(answers.map(Number).sort((a, b) => a - b), [1, 2, 3, 4, 5, 6, 7, 8]);
    assert.equal(await client("get a"), "8\n");
    assert.match(await client("worker"), /^worker [1-4]\n$/);
  });
});

describe("examples/chat", () => {
  test("examples/chat tells two guests of each other: nicknames, rooms, a push to many", {
    skip: lackingPrograms("nc"),
  }, async (t) => {
    const { root, server } = await example(t, "chat");
    const nc = (...words: string[]): Program => new Program(t, root, "nc", "-N", ...words);
    const ada = nc("127.0.0.1", `${port(server, "chat", "tcp")}`);
    await ada.says("you are in lobby, with 0 others\n");
    const ben = nc("-U", "examples/chat/chat.sock");
    await ben.says("you are in lobby, with 1 others\n");
    await ada.says("has joined\n");
    ada.send("/nick ada\n");
    await ben.says("is now ada\n");
    ben.send("/nick ada\n");
    await ben.says("! ada is taken\n");
    ben.send("/nick ben\nhello\n");
    await ada.says("is now ben\n");
    await ada.says("\nben: hello\n");
    assert.doesNotMatch(ben.text, /ben: hello/, "nobody hears oneself");
    ada.send("/who\n");
    await ada.says("* ada, ben\n");
    ben.send("/join kitchen\n");
    await ada.says("* ben has left\n");
    await ben.says("you are in kitchen, with 0 others\n");
    ada.send("alone?\n/join kitchen\n");
    await ben.says("* ada has joined\n");
    assert.doesNotMatch(ben.text, /alone/, "a room hears itself only");
    ada.send("soup\n");
    await ben.says("ada: soup\n");
    ben.send("/quit\n");
    ben.end();
    await ben.ended();
    await ada.says("in kitchen, with 1 others\n* ben has left\n");
    ada.end();
    await ada.ended();
    await server.stop();
    assert.equal(existsSync(join(root, "examples/chat/chat.sock")), false);
  });
});

describe("examples/upper", () => {
  test("examples/upper answers each line in upper case with its number, on TCP and UDP", {
    skip: lackingPrograms("nc"),
  }, async (t) => {
    const { server } = await example(t, "upper");
    const say = "printf 'hello\\nworld\\r\\nlast'";
    const [tcp, udp] = await Promise.all([
      shell(t, ".", `${say} | nc -N 127.0.0.1 ${port(server, "upper", "tcp")}`),
      shell(t, ".", `${say} | nc -u -w1 127.0.0.1 ${port(server, "upper", "udp")}`),
    ]);
    assert.equal(tcp, "1 HELLO\n2 WORLD\n3 LAST\n");
    assert.equal(udp, "1 HELLO\n2 WORLD\n3 LAST\n");
  });
  test("examples/upper ends a session whose line is longer than 4,096 bytes, and goes on", {
    skip: lackingPrograms("nc"),
  }, async (t) => {
    const { server } = await example(t, "upper");
    const tcp = port(server, "upper", "tcp");
    assert.equal(await shell(t, ".", `head -c 5000 /dev/zero | nc -N 127.0.0.1 ${tcp}`), "");
    await server.record({ event: "close", service: "upper", reason: "error" });
    assert.equal(await shell(t, ".", `echo again | nc -N 127.0.0.1 ${tcp}`), "1 AGAIN\n");
  });
});

/** Whether a process works in a folder. */
function isIn(pid: string, home: string): boolean {
  try {
    return readlinkSync(`/proc/${pid}/cwd`) === home;
  } catch {
    return false;
  }
}

describe("examples/inetd", () => {
  test("examples/inetd runs a program for each peer, on TCP, UDP and Unix sockets", {
    skip: lackingFeature("descriptors") || lackingPrograms("nc", "wc", "date"),
  }, async (t) => {
    const { root, server } = await example(t, "inetd");
    const tcp = (service: string): number => port(server, service, "tcp");
    const talk = "printf 'Ada\\n\\nbye\\n'";
    const unix = "examples/inetd/greet.sock";
    const [greeted, neighbour, counted, date] = await Promise.all([
      shell(t, root, `${talk} | nc 127.0.0.1 ${tcp("greet")}`),
      shell(t, root, `echo bye | nc -U ${unix}`),
      shell(t, root, `printf hello | nc -N 127.0.0.1 ${tcp("count")}`),
      shell(t, root, `echo | nc -u -w1 127.0.0.1 ${port(server, "date", "udp")}`),
    ]);
    assert.equal(
      greeted,
      "Good day, 127.0.0.1. What is your name?\nPleased to meet you, Ada.\n" +
        "Everybody has a name.\nGood bye.\n",
    );
    assert.equal(neighbour, "Good day. What is your name?\nGood bye.\n");
    assert.equal(counted.trim(), "5");
    assert.match(date, /UTC/);
    await server.record({ event: "log", level: "warn", text: "somebody without a name" });
    await server.count(2, { event: "close", service: "greet", exit: 0 });
    await server.stop();
    assert.equal(existsSync(join(root, unix)), false);
  });
  test("examples/inetd leaves no program behind, however it is stopped", {
    skip: lackingFeature("descriptors") || lackingPrograms("nc"),
  }, async (t) => {
    const { root, server } = await example(t, "inetd");
    const talk = new Program(t, root, "nc", "127.0.0.1", `${port(server, "greet", "tcp")}`);
    await talk.says("What is your name?");
    assert.ok(readdirSync("/proc").some((pid) => isIn(pid, join(root, "examples/inetd"))));
    // The second one is somebody in a hurry.
    server.signal("SIGTERM");
    await server.record({ event: "drain" });
    server.signal("SIGTERM");
    await server.ended();
    talk.end();
    await talk.ended();
    const home = join(root, "examples/inetd");
    await until("the end of greet.sh", () => !readdirSync("/proc").some((pid) => isIn(pid, home)));
  });
});

describe("examples/proxy", () => {
  test("examples/proxy passes on what nc says, to one target and the other", {
    skip: lackingPrograms("nc"),
  }, async (t) => {
    const target = await freePort();
    const { root, server: proxy } = await example(
      t,
      "proxy",
      (head) =>
        head.replaceAll('127.0.0.1:7086"', '127.0.0.1:0"').replaceAll(/7087"/g, `${target}"`),
    );
    const say = (way: string): Promise<string> => shell(t, root, `printf hello | nc ${way}`);
    const tcp = `-N 127.0.0.1 ${port(proxy, "front", "tcp")}`;
    assert.equal(await say(tcp), "hello");
    assert.equal(await say(tcp), "HELLO");
    assert.equal(await say("-N -U examples/proxy/front.sock"), "hello");
    assert.equal(await say(`-u -w1 127.0.0.1 ${port(proxy, "front", "udp")}`), "hello");
    await proxy.kill();
    assert.equal(await knock(`tcp://127.0.0.1:${target}`), "ECONNREFUSED");
  });
});

describe("examples/admin", () => {
  test("tells of itself over HTTP, on both of its endpoints", async (t) => {
    const free = (head: string): string =>
      head.replace(/("(?:tcp|udp|http):\/\/127\.0\.0\.1):\d+"/g, '$1:0"');
    const { server, root } = await example(t, "admin", free);
    const endpoint = server.endpoint("admin", "http");
    for (const place of [endpoint, `http+unix:${join(root, "examples/admin/admin.sock")}`]) {
      assert.equal((await get(place, "/ready")).status, 200);
      assert.match(
        (await get(place, "/metrics")).text,
        /portico_service_up\{service="daytime"\} 1/,
      );
    }
    const asked = {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: '{"service":"echo"}',
    };
    assert.equal((await get(endpoint, "/control/suspend", asked)).status, 200);
    assert.equal((await get(endpoint, "/ready")).status, 503);
  });
});

describe("examples/policy", () => {
  test("greets, springs its trap, and limits a program, as its head says", {
    skip: lackingFeature("descriptors") || lackingPrograms("nc", "sh", "nice", "prlimit"),
  }, async (t) => {
    const { root, server } = await example(t, "policy");
    const portOf = (service: string): number => port(server, service, "tcp");
    const say = (service: string, from: string, says = "printf hello"): Promise<string> =>
      shell(t, root, `${says} | nc -N -s ${from} 127.0.0.1 ${portOf(service)}`);
    assert.equal(await say("echo", "127.0.0.1"), "welcome, 127.0.0.1\nhello");
    assert.equal(await say("echo", "127.6.6.6"), "not you, or not now\n");
    const refused = await server.record({ event: "refuse", service: "echo" });
    assert.match(String(refused["place"]), /^portico\.json:\d+:\d+$/);
    assert.equal(await say("trap", "127.0.0.66"), "");
    assert.equal(await say("echo", "127.0.0.66"), "not you, or not now\n");
    assert.equal(await say("report", "127.0.0.66"), "");
    await server.count(2, { event: "refuse", rule: "ban" });
    assert.equal((await server.record({ event: "ban" }))["source"], "127.0.0.66");
    assert.equal(await say("trap", "127.0.0.1"), "", "who holds the keys is refused");
    assert.equal(await say("echo", "127.0.0.1"), "welcome, 127.0.0.1\nhello", "and not shut out");
    assert.equal(
      await say("report", "127.0.0.1", "true"),
      "5 s of CPU, 32 files, nice 10\n",
    );
    await server.stop();
  });
});

describe("examples/smtp", () => {
  test("examples/smtp takes mails by STARTTLS, and by TLS from the first byte on", {
    skip: lackingPrograms("swaks"),
  }, async (t) => {
    const { root, server } = await example(
      t,
      "smtp",
      (head) => head.replace(/("(?:tcp|tls):\/\/127\.0\.0\.1):\d+"/g, '$1:0"'),
    );
    const mail = (transport: "tcp" | "tls", how: string): Promise<string> => {
      const at = `127.0.0.1:${port(server, "smtp", transport)}`;
      return shell(t, root, `swaks --server ${at} ${how} --to you@example.org`);
    };
    assert.match(await mail("tcp", "--tls"), /=== TLS started/);
    assert.match(await mail("tls", "--tls-on-connect"), /250 Taken/);
    await server.count(2, { event: "log", text: "a mail", tls: "TLSv1.3" });
    await server.stop();
  });
});

describe("examples/tls", () => {
  test("examples/tls: its certificates are made, and openssl is served as its head says", {
    skip: lackingPrograms("openssl", "sleep"),
  }, async (t) => {
    const root = folder(t, {});
    const home = join(root, "examples", "tls");
    mkdirSync(home, { recursive: true });
    for (const file of ["certificates.sh", "portico.json"]) {
      const text = readFileSync(join(EXAMPLES, "tls", file), "utf8");
      const free = text.replace(/("tls:\/\/127\.0\.0\.1):\d+"/g, '$1:0"');
      writeFileSync(join(home, file), free);
    }
    await shell(t, home, "sh certificates.sh 2>/dev/null");
    const server = await startServer(t, "examples/tls", { cwd: root });
    const client = (service: string, words: string): Promise<string> => {
      const at = server.endpoint(service, "tls").replace(/^tls:\/\/127\.0\.0\.1/, "localhost");
      const openssl = `openssl s_client -quiet -no_ign_eof -CAfile ca.crt -connect ${at} ${words}`;
      return shell(t, home, `(echo hello; sleep 1) | ${openssl} 2>/dev/null`);
    };
    const verified = "-verify_return_error";
    const certified = `${verified} -cert client.crt -key client.key`;
    assert.deepEqual(
      await Promise.all([
        client("echo", verified),
        client("mutual", certified),
        client("development", ""),
      ]),
      ["hello\n", "hello\n", "hello\n"],
    );
    assert.equal(await client("mutual", `${verified} || true`), "");
    const { message } = await server.record({ event: "log", fingerprint: /^[0-9a-f]{64}$/ });
    assert.match(String(message), /self-signed certificate, for development/);
    await server.stop();
    assert.equal(server.all({ event: "open", service: "mutual" }).length, 1);
  });
});

describe("examples/match", () => {
  test("SSH, HTTPS and more on one port, as its head says", {
    skip: lackingFeature("descriptors") || lackingPrograms("nc", "sh", "curl", "openssl"),
  }, async (t) => {
    const sshd = createServer((socket) => void socket.end("SSH-2.0-fake\r\n")).listen(
      0,
      "127.0.0.1",
    );
    await once(sshd, "listening");
    t.after(() => void sshd.close());
    const own = { cert: certificates().cert("b"), key: certificates().key("b") };
    // Who does not read does not see its peer's end, and is waited for.
    const other = createTls(own, (socket) => void socket.on("error", () => {}).resume()).listen(
      0,
      "127.0.0.1",
    );
    await once(other, "listening");
    t.after(() => void other.close());
    const place = (server: { address(): unknown }): string =>
      `127.0.0.1:${(server.address() as { port: number }).port}"`;
    const { root, server } = await example(
      t,
      "match",
      (head) =>
        head.replace('127.0.0.1:7160"', '127.0.0.1:0"').replace('127.0.0.1:22"', place(sshd))
          .replace('127.0.0.1:7161"', place(other))
          // On a machine that is busy, too, all others have said something by then.
          .replace('"wait": "1s"', '"wait": "3s"'),
    );
    const at = `127.0.0.1:${port(server, "front", "tcp")}`;
    const says = (line: string): Promise<string> => shell(t, root, line);
    assert.equal(await says(`curl -sk https://${at}`), "hello over https\n");
    assert.equal(await says(`curl -s http://${at}`), "hello over http\n");
    assert.equal(
      await says(
        `(printf hello; sleep 3) | openssl s_client -quiet -no_ign_eof -alpn echo -connect ${at} 2>&1 | grep -c hello`,
      ),
      "1\n",
    );
    const shown = `echo | openssl s_client -servername other.example -connect ${at} 2>&1`;
    assert.match(
      await says(`${shown} | openssl x509 -noout -ext subjectAltName`),
      /DNS:b\.example/,
    );
    const [host, tcp] = at.split(":");
    const ssh = `printf 'SSH-2.0-x\\r\\n' | nc ${host} ${tcp}`;
    assert.equal(await says(ssh), "SSH-2.0-fake\r\n");
    assert.match(await says(`nc -d ${host} ${tcp}`), /^\d+ [A-Z]+ \d+/);
    await server.stop();
  });
});
