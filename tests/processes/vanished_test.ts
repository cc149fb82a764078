/** A peer that vanishes without a word, as a telephone in a tunnel, is found by keep-alive and user timeout. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { lackingFeature } from "../support/adapter.ts";
import { command, MAIN } from "../support/command.ts";
import { folder } from "../support/folder.ts";
import { lackingPrograms } from "../support/packages.ts";
import { lackingRoot } from "../support/permissions.ts";
import { Program } from "../support/program.ts";
import { manifest } from "../support/server-process.ts";
import { lackingStrategy } from "../support/strategies.ts";

/** The other machine: two connections, and then its cable is pulled out. */
const PEER = `
import socket, subprocess, time
def ip(*words): return subprocess.run(["ip", *words], stderr=subprocess.DEVNULL).returncode == 0
while not ip("addr", "add", "10.78.0.2/24", "dev", "there"): time.sleep(0.02)
ip("link", "set", "there", "up")
def dial(port):
    end = time.monotonic() + 30
    while True:
        try:
            one = socket.create_connection(("10.78.0.1", port), 1)
            one.settimeout(30)
            return one
        except OSError:
            if time.monotonic() > end: raise
            time.sleep(0.05)
# Who comes before the options are set has not inherited them.
dial(7009)
time.sleep(0.5)
silent = dial(7007)
silent.send(b"hello")
silent.recv(100)
busy = dial(7008)
busy.recv(100)
ip("link", "set", "there", "down")
time.sleep(60)
`;

/** A namespace of its own for this machine, and another one for the peer; a cable between the two. */
const APART = `
set -e
ip link set lo up
ip link add here type veth peer name there
ip addr add 10.78.0.1/24 dev here
ip link set here up
unshare -n python3 -c "$PEER" & peer=$!
while [ "$(readlink /proc/$peer/ns/net)" = "$(readlink /proc/self/ns/net)" ]; do sleep 0.05; done
ip link set there netns $peer
trap 'kill $peer' EXIT
exec 3<&0
"$@" & server=$!
read line <&3 || true
kill $server
wait $server || true
`;

for (const strategy of ["async", "processes"] as const) {
  test(
    `${strategy}: a peer that vanishes is found, whether it is silent or has something to read`,
    {
      skip: lackingRoot || lackingPrograms("unshare", "ip", "python3", "sh") ||
        lackingStrategy(strategy) || lackingFeature("descriptors"),
    },
    async (t) => {
      const listen = (port: number, options: object) => ({
        endpoint: `tcp://10.78.0.1:${port}`,
        ...options,
      });
      // No deadline of ours is what finds it.
      const common = { concurrency: strategy, limits: { progress: "none", idle: "none" } };
      const home = folder(t, {
        "portico.json": manifest({
          silent: { plugin: "echo", listen: listen(7007, { keepAlive: "1s" }), ...common },
          first: { plugin: "echo", listen: listen(7009, {}), ...common },
          busy: { plugin: "chargen", listen: listen(7008, { userTimeout: "2s" }), ...common },
        }),
      });
      const [program, words] = command(MAIN, "run", home);
      const apart = new Program(
        t,
        home,
        "env",
        `PEER=${PEER}`,
        "unshare",
        "-n",
        "sh",
        "-c",
        APART,
        "sh",
        program,
        ...words,
      );
      for (const service of ["silent", "busy"]) {
        await apart.says(`"event":"close","service":"${service}"`);
      }
      apart.end();
      const records = (await apart.ended()).split("\n").filter((line) => line.startsWith("{"))
        .map((line) => JSON.parse(line));
      for (const service of ["silent", "busy"]) {
        const close = records.find((record) =>
          record.event === "close" && record.service === service
        );
        assert.equal(close.reason, "reset", JSON.stringify(close));
        assert.ok(close.durationMs < 20_000, JSON.stringify(close));
      }
    },
  );
}
