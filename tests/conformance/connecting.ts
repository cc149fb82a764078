/** Connections of our own making. */
import assert from "node:assert/strict";
import { openLibc } from "../../adapters/posix/libc.ts";
import {
  AF_INET,
  AF_UNIX,
  SOCK_DGRAM,
  SOCK_NONBLOCK_CLOEXEC,
  SOCK_STREAM,
} from "../../adapters/posix/linux.ts";
import { encode as sockaddr } from "../../adapters/posix/sockaddr.ts";
import { boundName, sockaddrOf } from "../../adapters/posix/socket.ts";
import type { NamedEndpoint } from "../../runtime/core/contract.ts";
import { Address, formatEndpoint } from "../../runtime/core/endpoint.ts";
import type { PorticoError } from "../../runtime/core/errors.ts";
import { until, within } from "../support/until.ts";
import { Client, named, withClient } from "./client.ts";
import { needs } from "./door.ts";
import { assertBytes, encode, pattern, text } from "./harness.ts";
import type { Behaviour } from "./recorder.ts";
import type { Case, Stage } from "./stage.ts";
import { both, kernel } from "./stage.ts";

const MEGABYTE = 1024 * 1024;

const echo: Behaviour = {
  data: (connection, chunk) => void connection.write(chunk),
  end: (connection) => connection.end(),
};

async function refused(
  stage: Stage,
  to: NamedEndpoint,
  code: string,
  why: RegExp,
  timeout?: number,
): Promise<void> {
  const client = new Client({});
  const attempt = within("a refusal", stage.adapter.connect(to, client, undefined, timeout));
  await assert.rejects(attempt, (error: PorticoError) => {
    assert.equal(error.name, "PorticoError");
    assert.equal(error.code, code, error.message);
    assert.ok(error.message.startsWith(`cannot connect to ${formatEndpoint(to)}: `), error.message);
    assert.match(error.message, why);
    return true;
  });
  await stage.settle();
  assert.equal(client.connections.length, 0);
}

export const connecting: readonly Case[] = [
  {
    name: "connect: what is written arrives, and the answer; the addresses are those of both ends",
    async run(stage) {
      const server = await stage.listen(echo);
      const { address } = server.listener;
      await withClient(stage, named(address), {}, async (client) => {
        const mine = client.connections[0]!;
        assert.equal(String(mine.connection.remote), String(address));
        mine.write(encode("hello"));
        await until("the echo", () => mine.received === 5);
        assert.equal(text(mine.bytes()), "hello");
        const theirs = await server.connection(0);
        assert.equal(String(theirs.connection.remote), String(mine.connection.local));
        mine.end();
        await until("the close", () => mine.closed && theirs.closed);
        assert.deepEqual(mine.events, ["open", "data", "end", "close"]);
        assert.equal(mine.error, undefined);
      });
    },
  },
  {
    name: "connect: after the end of ours, 5 MB come from the other side",
    needs: ({ halfClose }) => halfClose,
    async run(stage) {
      const sent = pattern(5 * MEGABYTE);
      const server = await stage.listen({
        end(connection) {
          connection.write(sent);
          connection.end();
        },
      });
      await withClient(stage, named(server.listener.address), {}, async (client) => {
        const mine = client.connections[0]!;
        mine.write(encode("all I have"));
        mine.end();
        await until("the close", () => mine.closed);
        assertBytes(mine.bytes(), sent, "received");
        assert.equal(text((await server.connection(0)).bytes()), "all I have");
      });
    },
  },
  {
    name: "connect: who is paused is not told anything; 5 MB of ours go out meanwhile",
    async run(stage) {
      const server = await stage.listen({
        open: (connection) => void connection.write(encode("greeting")),
        end: (connection) => connection.end(),
      });
      const sent = pattern(5 * MEGABYTE);
      const behaviour: Behaviour = { open: (connection) => connection.pause() };
      await withClient(stage, named(server.listener.address), behaviour, async (client) => {
        const mine = client.connections[0]!;
        const theirs = await server.connection(0);
        mine.write(sent);
        mine.end();
        await until("all of it", () => theirs.received === sent.length);
        assertBytes(theirs.bytes(), sent, "received");
        assert.equal(mine.received, 0);
        mine.resume();
        await until("the close", () => mine.closed);
        assert.equal(text(mine.bytes()), "greeting");
      });
    },
  },
  {
    name:
      "connect: who pauses in open hears nothing of a quick target before it resumes; 100 rounds",
    async run(stage) {
      const server = await stage.listen({
        open(connection) {
          connection.write(encode("greeting"));
          connection.end();
        },
        end: (connection) => connection.end(),
      });
      const behaviour: Behaviour = { open: (connection) => connection.pause() };
      for (let i = 0; i < 100; i++) {
        await withClient(stage, named(server.listener.address), behaviour, async (client) => {
          const mine = client.connections[0]!;
          assert.deepEqual(mine.events, ["open"]);
          await server.connection(i);
          assert.deepEqual(mine.events, ["open"]);
          mine.resume();
          await until("the end", () => mine.events.includes("end"));
          mine.end();
          await until("the close", () => mine.closed);
          assert.equal(text(mine.bytes()), "greeting");
        });
      }
    },
  },
  {
    name: "connect: an abort of the other side is told",
    needs: ({ adapter }) => adapter.features.resets,
    only: "tcp",
    async run(stage) {
      const server = await stage.listen({ data: (connection) => connection.abort() });
      await withClient(stage, named(server.listener.address), {}, async (client) => {
        const mine = client.connections[0]!;
        mine.write(encode("x"));
        await until("the close", () => mine.closed);
        assert.equal(mine.error?.side, "peer");
      });
    },
  },
  {
    name: "connect: nobody listens there",
    only: "tcp",
    async run(stage) {
      const server = await stage.listen();
      await server.listener.close();
      const to = named(server.listener.address);
      await refused(stage, to, "ECONNREFUSED", /: connection refused \(ECONNREFUSED\)$/);
    },
  },
  {
    name: "connect: a path where nothing is, a file that is no socket, a path that is too long",
    only: "unix",
    needs: kernel,
    async run(stage) {
      const { path } = stage.harness.place("unix") as { path: string };
      const unix = (path: string): NamedEndpoint => ({ transport: "unix", path });
      await refused(stage, unix(path), "ENOENT", /\(ENOENT\)$/);
      await refused(stage, unix(`@${path}`), "ECONNREFUSED", /connection refused/);
      await refused(stage, unix("/dev/null"), "ECONNREFUSED", /connection refused/);
      await refused(stage, unix(`${path}${"x".repeat(108)}`), "ENAMETOOLONG", /too long/);
    },
  },
  {
    name: "connect: a listener whose queue is full, and a datagram socket, refuse",
    only: "unix",
    needs,
    async run(stage) {
      const libc = await openLibc();
      const sockets: number[] = [];
      const bound = (type: number): NamedEndpoint => {
        const { path } = stage.harness.place("unix") as { path: string };
        const name = sockaddr(new Address("unix", "", 0, path), AF_UNIX)!;
        const fd = libc.socket(AF_UNIX, type | SOCK_NONBLOCK_CLOEXEC, 0);
        sockets.push(fd);
        assert.equal(libc.bind(fd, sockaddrOf(name), name.size), 0);
        if (type === SOCK_DGRAM) return { transport: "unix", path };
        assert.equal(libc.listen(fd, 0), 0);
        for (let code = 0; code === 0;) {
          sockets.push(libc.socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK_CLOEXEC, 0));
          code = libc.connect(sockets.at(-1)!, sockaddrOf(name), name.size);
        }
        return { transport: "unix", path };
      };
      try {
        const why = /: connection refused \(\w+\)$/;
        await refused(stage, bound(SOCK_STREAM), "ECONNREFUSED", why, 200);
        await refused(stage, bound(SOCK_DGRAM), "ECONNREFUSED", why);
      } finally {
        for (const fd of sockets) libc.close(fd);
      }
    },
  },
  {
    name: "connect: a host that is not known",
    only: "tcp",
    needs: kernel,
    run: (stage) =>
      refused(
        stage,
        { transport: "tcp", host: "no-such-host.invalid", port: 7 },
        "ENOTFOUND",
        /host name is not known/,
      ),
  },
  {
    name: "connect: an abstract name",
    only: "unix",
    needs: (harness) => both(kernel(harness), harness.adapter.features.abstract),
    async run(stage) {
      const { path } = stage.harness.place("unix") as { path: string };
      const to: NamedEndpoint = { transport: "unix", path: `@portico${path}` };
      await stage.listen(echo, {}, to);
      await withClient(stage, to, {}, async (client) => {
        const mine = client.connections[0]!;
        mine.write(encode("hello"));
        await until("the echo", () => mine.received === 5);
      });
    },
  },
  {
    name: "connect: a host name is resolved",
    only: "tcp",
    needs: kernel,
    async run(stage) {
      const local: NamedEndpoint = { transport: "tcp", host: "localhost", port: 0 };
      const server = await stage.listen(echo, {}, local);
      const to = { ...local, port: server.listener.address.port };
      await withClient(stage, to, {}, async (client) => {
        const mine = client.connections[0]!;
        mine.write(encode("hello"));
        await until("the echo", () => mine.received === 5);
      });
    },
  },
  {
    name: "connect: who does not answer is given up in time",
    only: "tcp",
    needs,
    async run(stage) {
      // A listener whose queue is full: the kernel does not even answer.
      const libc = await openLibc();
      const sockets: number[] = [];
      const made = (): number => {
        sockets.push(libc.socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK_CLOEXEC, 0));
        return sockets.at(-1)!;
      };
      const first = made();
      const any = sockaddr(new Address("tcp", "127.0.0.1", 0, ""), AF_INET)!;
      assert.equal(libc.bind(first, sockaddrOf(any), any.size), 0);
      assert.equal(libc.listen(first, 0), 0);
      const address = boundName(libc, first, "stream");
      const there = sockaddr(address, AF_INET)!;
      for (let i = 0; i < 4; i++) libc.connect(made(), sockaddrOf(there), there.size);
      try {
        await stage.settle();
        const began = performance.now();
        await refused(stage, named(address), "ETIMEDOUT", /nobody has answered in time/, 200);
        assert.ok(performance.now() - began >= 190, "it was given that time");
      } finally {
        for (const fd of sockets) libc.close(fd);
      }
    },
  },
];
