/** Listeners: what they are bound to, what they refuse, and what is left when they close. */
import assert from "node:assert/strict";
import type { NamedEndpoint } from "../../runtime/core/contract.ts";
import { Address, formatEndpoint } from "../../runtime/core/endpoint.ts";
import { until, within } from "../support/until.ts";
import { text } from "./harness.ts";
import type { Behaviour } from "./recorder.ts";
import type { Case } from "./stage.ts";
import { kernel, rejects } from "./stage.ts";

const echo: Behaviour = {
  data: (connection, chunk) => void connection.write(chunk),
  end: (connection) => connection.end(),
};

function endpointOf({ transport, host, port, path }: Address): NamedEndpoint {
  return host === ""
    ? { transport: transport as "unix", path }
    : { transport: transport as "tcp", host, port };
}

export const listeners: readonly Case[] = [
  {
    name: "remote is the peer's own address, of the 300th connection, too",
    async run(stage) {
      const asked: string[] = [];
      const server = await stage.listen({
        ...echo,
        open: ({ connection }) => asked.push(String(connection.remote)),
      });
      for (let i = 1; i <= 300; i++) {
        const peer = await stage.connect(server);
        await until("open", () => asked.length === i);
        assert.equal(asked[i - 1], peer.local);
        peer.end();
        await until("the end", () => peer.ended);
      }
    },
  },
  {
    name: "close frees the address at once, connections live on, and twice is fine",
    async run(stage) {
      const { server, peer, connection } = await stage.pair(echo);
      const { address } = server.listener;
      await within("close", server.listener.close());
      peer.write("still here");
      await until("the echo", () => peer.received === 10);
      const again = await stage.listen(echo, {}, endpointOf(address));
      assert.equal(String(again.listener.address), String(address));
      await Promise.all([server.listener.close(), server.listener.close()]);
      const second = await stage.connect(again);
      second.write("anew");
      await until("its echo", () => second.received === 4);
      assert.equal(text(second.bytes()), "anew");
      assert.equal(again.connections.length, 1);
      peer.end();
      await until("the old one's close", () => connection.closed);
    },
  },
  {
    name: "after close nobody is accepted",
    async run(stage) {
      const server = await stage.listen();
      const { address } = server.listener;
      await server.listener.close();
      await assert.rejects(async () => await stage.connect(address));
      await stage.settle();
      assert.equal(server.connections.length, 0);
    },
  },
  {
    name: "close inside open: this connection lives, the next is refused",
    async run(stage) {
      let closing: Promise<void> | undefined;
      const server = await stage.listen({
        ...echo,
        open: () => closing = server.listener.close(),
      });
      const peer = await stage.connect(server);
      await server.connection(0);
      await within("close", closing!);
      await assert.rejects(async () => await stage.connect(server));
      peer.write("alive");
      await until("the echo", () => peer.received === 5);
    },
  },
  {
    name: "[::1] takes IPv6 peers",
    only: "tcp",
    needs: kernel,
    async run(stage) {
      const server = await stage.listen(echo, {}, { transport: "tcp", host: "::1", port: 0 });
      const { address } = server.listener;
      assert.match(String(address), /^tcp:\/\/\[::1\]:[1-9]\d*$/);
      const peer = await stage.connect(server);
      const { connection } = await server.connection(0);
      assert.equal(String(connection.remote), peer.local);
      assert.equal(String(connection.local), String(address));
    },
  },
  {
    name: "* takes IPv4 and IPv6 peers; both sides of an IPv4 peer look like IPv4",
    only: "tcp",
    needs: kernel,
    async run(stage) {
      const server = await stage.listen(echo, {}, { transport: "tcp", host: "*", port: 0 });
      const { port } = server.listener.address;
      for (const [i, host] of ["127.0.0.1", "::1"].entries()) {
        const peer = await stage.connect(server, { host });
        const { connection } = await server.connection(i);
        assert.equal(String(connection.remote), peer.local);
        const local = String(new Address("tcp", host, port, ""));
        assert.equal(String(connection.local), local);
        peer.end();
        await until("the end", () => peer.ended);
        await until("the close", () => server.connections[i]!.closed);
        assert.deepEqual([`${connection.remote}`, `${connection.local}`], [peer.local, local]);
      }
    },
  },
  {
    name: "a host name is resolved",
    only: "tcp",
    needs: kernel,
    async run(stage) {
      const server = await stage.listen(echo, {}, { transport: "tcp", host: "localhost", port: 0 });
      assert.match(server.listener.address.host, /^(127\.0\.0\.1|::1)$/);
      const peer = await stage.connect(server);
      peer.write("x");
      await until("the echo", () => peer.received === 1);
    },
  },
];

/** What holds for every kind of socket. */
export const binding: readonly Case[] = [
  {
    name: "what is bound is told: port 0 is resolved",
    async run(stage) {
      const place = stage.harness.place(stage.transport);
      const bound = await stage.open(place);
      try {
        const { address } = bound;
        assert.equal(address.transport, stage.transport);
        if ("path" in place) assert.equal(String(address), formatEndpoint(place));
        else assert.match(String(address), /^(tcp|udp):\/\/127\.0\.0\.1:[1-9]\d*$/);
      } finally {
        await bound.close();
      }
    },
  },
  {
    name: "an address in use is refused, by name, and its owner is not disturbed",
    async run(stage) {
      const bound = await stage.open(stage.harness.place(stage.transport));
      try {
        const same = endpointOf(bound.address);
        for (let i = 0; i < 3; i++) {
          await rejects(stage.open(same), "EADDRINUSE", formatEndpoint(same));
        }
      } finally {
        await bound.close();
      }
      const again = await stage.open(endpointOf(bound.address));
      await again.close();
    },
  },
  {
    name: "closing twice does not close what was bound there since",
    async run(stage) {
      const first = await stage.open(stage.harness.place(stage.transport));
      await first.close();
      const second = await stage.open(endpointOf(first.address));
      await first.close();
      await rejects(stage.open(endpointOf(first.address)), "EADDRINUSE", String(first.address));
      await second.close();
    },
  },
  ...(["tcp", "udp"] as const).flatMap((only): Case[] => [
    {
      name: "an address that is not this machine's is refused, by name",
      only,
      needs: kernel,
      run: (stage) =>
        rejects(
          stage.open({ transport: only, host: "192.0.2.1", port: 0 }),
          "EADDRNOTAVAIL",
          `${only}://192.0.2.1:0`,
        ),
    },
    {
      name: "a host that is not known is refused, by name",
      only,
      needs: kernel,
      run: (stage) =>
        rejects(
          stage.open({ transport: only, host: "no-such-host.invalid", port: 0 }),
          "ENOTFOUND",
          "no-such-host.invalid",
        ),
    },
  ]),
];
