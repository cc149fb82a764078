/** UDP on every address of the machine, and what the kernel drops, under every strategy. */
import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { test } from "node:test";
import { parseEndpoint } from "../../runtime/core/endpoint.ts";
import { lackingFeature } from "../support/adapter.ts";
import { command, MAIN } from "../support/command.ts";
import { folder } from "../support/folder.ts";
import { ManagedServer } from "../support/managed-server.ts";
import { ConnectedClient } from "../support/peers.ts";
import { lackingRoot } from "../support/permissions.ts";
import { lackingPrograms } from "../support/packages.ts";
import { Program } from "../support/program.ts";
import { manifest, pluginPath } from "../support/server-process.ts";
import type { Scope } from "../support/scope.ts";
import { lackingStrategy, STRATEGIES } from "../support/strategies.ts";

for (const strategy of STRATEGIES) {
  test(
    `${strategy}: an answer leaves from the address that was asked, and session.local says it`,
    { skip: lackingStrategy(strategy) || lackingFeature("packetInfo") },
    async (t) => {
      const managed = await ManagedServer.start(t, {
        all: { plugin: pluginPath("remote"), listen: "udp://*:0", concurrency: strategy },
        four: { plugin: pluginPath("remote"), listen: "udp://0.0.0.0:0", concurrency: strategy },
      });
      const check = async (service: string, host: string): Promise<void> => {
        const port = managed.process.endpoint(service, "udp").split(":").at(-1);
        const endpoint = `udp://${host}:${port}`;
        const client = await ConnectedClient.dial(t, endpoint);
        const answer = new TextDecoder().decode(await client.ask("which?", endpoint));
        assert.equal(answer, `${client.name} asked ${endpoint}`);
      };
      for (const host of ["127.0.0.5", "127.0.0.1", "[::1]"]) await check("all", host);
      for (const host of ["127.0.0.5", "127.0.0.1"]) await check("four", host);
      // Another socket is received from after it.
      await managed.ask("suspend", { service: "all" });
      await managed.ask("resume", { service: "all" });
      await check("all", "127.0.0.5");
      await managed.process.stop();
    },
  );
}

/** Asks at two addresses of networks that are routed to this machine as a whole, in a namespace of its own. */
const ROUTED = `
set -e
ip link set lo up
ip route add local 10.77.0.0/16 dev lo
ip -6 route add local fd77::/64 dev lo
"$@" >/dev/null &
python3 -c '
import socket, time
for host in ("10.77.3.4", "fd77::5"):
    one = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
    one.settimeout(0.2)
    one.connect((host, 7007))
    end = time.monotonic() + 20
    while time.monotonic() < end:
        try:
            one.send(b"which?")
            print(one.recv(100).decode().split(" asked ")[1], flush=True)
            break
        except OSError:
            time.sleep(0.05)
'
kill $!
wait $! || true
`;

test(
  "of a network that is routed here, each address answers for itself",
  {
    skip: lackingRoot || lackingPrograms("unshare", "ip", "python3") ||
      lackingFeature("packetInfo"),
  },
  async (t) => {
    const home = folder(t, {
      "portico.json": manifest({
        remote: { plugin: pluginPath("remote"), listen: "udp://*:7007" },
      }),
    });
    const [program, words] = command(MAIN, "run", home);
    const all = new Program(t, home, "unshare", "-n", "sh", "-c", ROUTED, "sh", program, ...words);
    all.end();
    assert.equal(await all.ended(), "udp://10.77.3.4:7007\nudp://[fd77::5]:7007\n", all.errors);
  },
);

/** Sends so many datagrams; resolves when the kernel has had all of them. */
async function pour(scope: Scope, endpoint: string, count: number): Promise<void> {
  const socket = createSocket("udp4");
  scope.after(() => new Promise<void>((resolve) => socket.close(() => resolve())));
  const { host, port } = parseEndpoint(endpoint) as { host: string; port: number };
  for (let i = 0; i < count; i++) {
    await new Promise<void>((resolve, reject) => {
      socket.send("x".repeat(1000), port, host, (error) => error ? reject(error) : resolve());
    });
  }
}

for (const strategy of ["async", "threads"] as const) {
  test(
    `${strategy}: what the kernel drops is counted, over suspension, reload and upgrade`,
    { skip: lackingStrategy(strategy) || lackingFeature("descriptors") },
    async (t) => {
      const services = (count: number): Record<string, object> => ({
        discard: {
          plugin: "discard",
          listen: ["udp://127.0.0.1:0", "udp://0.0.0.0:0"].map((endpoint) => ({
            endpoint,
            receiveBuffer: "16KiB",
          })),
          concurrency: strategy,
          limits: { sessions: count },
        },
      });
      const managed = await ManagedServer.start(t, services(10_000) as never);
      const [one, all] = (await managed.service("discard")).endpoints.map((endpoint) =>
        endpoint.replace("0.0.0.0", "127.0.0.1")
      ) as [string, string];
      const lose = async (sent: number, lostBefore: number): Promise<number> => {
        await managed.ask("suspend", { service: "discard" });
        for (const endpoint of [one, all]) await pour(t, endpoint, 100);
        const { datagramsLost: lost } = await managed.service("discard");
        assert.ok(lost - lostBefore >= 100 && lost - lostBefore < 200, `${lost} lost`);
        await managed.ask("resume", { service: "discard" });
        await managed.until(
          "discard",
          ({ datagramsIn, datagramsLost }) => datagramsIn + datagramsLost === sent,
        );
        return lost;
      };
      const first = await lose(200, 0);
      managed.write(services(9_999) as never);
      await managed.reload();
      assert.equal((await managed.service("discard")).datagramsLost, first);
      const second = await lose(400, first);
      const { out } = await managed.ctl("status");
      assert.match(out, new RegExp(`discard +${second}\\n`));
      // Who goes on begins to count anew, and what was lost before it is not its.
      await managed.upgrade();
      assert.equal((await managed.service("discard")).datagramsLost, 0);
      await lose(200, 0);
    },
  );
}
