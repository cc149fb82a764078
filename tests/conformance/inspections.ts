/** What a descriptor is, and what a process may do with itself. */
import assert from "node:assert/strict";
import { readdirSync, readlinkSync } from "node:fs";
import process from "node:process";
import { openLibc } from "../../adapters/posix/libc.ts";
import { AF_INET, AF_UNIX, SOCK_CLOEXEC, SOCK_STREAM } from "../../adapters/posix/linux.ts";
import { Address } from "../../runtime/core/endpoint.ts";
import { counted, Door, inherited, needs, withDoor } from "./door.ts";
import type { Case } from "./stage.ts";
import { both, rejects } from "./stage.ts";

export const inspections: readonly Case[] = [
  {
    name: "inspect tells a listener from a connection, with their addresses",
    needs,
    run: (stage) =>
      withDoor(stage, async (door) => {
        const { descriptors, listener: { address } } = door;
        const endpoint = stage.transport === "unix" && stage.adapter.features.abstract === true
          ? { transport: "unix" as const, path: `@portico-${process.pid}-${address.path}` }
          : undefined;
        const peer = await stage.connect(address);
        const { fd, origin } = await door.take();
        const found = descriptors.inspect(fd);
        assert.ok(found.kind === "connection");
        assert.equal(String(found.origin.remote), String(origin.remote));
        if (address.path === "") assert.equal(String(found.origin.local), peer.remote);
        descriptors.close(fd);
        assert.throws(() => descriptors.inspect(fd), /is not open|is no socket|descriptor/);
        await withDoor(
          stage,
          async ({ listener }) => {
            const fd = await listener.duplicate();
            const found = descriptors.inspect(fd);
            descriptors.close(fd);
            assert.ok(found.kind === "listener");
            const { socket } = found;
            assert.deepEqual([socket.transport, socket.fd, socket.owned], [
              stage.transport,
              fd,
              false,
            ]);
            if (stage.transport === "tcp" || endpoint !== undefined) {
              assert.equal(String(socket.address), String(listener.address));
            }
          },
          {},
          endpoint,
        );
      }),
  },
  {
    name: "inspect and admit refuse what they cannot serve, and say what it is",
    only: "tcp",
    needs: counted,
    async run(stage) {
      const descriptors = await stage.adapter.descriptors();
      const libc = await openLibc();
      const file = readdirSync("/proc/self/fd").find((fd) => {
        try {
          return !readlinkSync(`/proc/self/fd/${fd}`).startsWith("socket:");
        } catch {
          return false;
        }
      })!;
      const sequenced = libc.socket(AF_UNIX, 5 | SOCK_CLOEXEC, 0);
      const idle = libc.socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
      const refusals: readonly (readonly [number, RegExp])[] = [
        [65_000, /descriptor 65000 is not open/],
        [Number(file), /is no socket/],
        [sequenced, /is a SOCK_SEQPACKET socket/],
        [idle, /neither listens nor is connected/],
      ];
      for (const [fd, message] of refusals) {
        assert.throws(() => descriptors.inspect(fd), { code: "NOT_SUPPORTED", message });
      }
      libc.close(sequenced);
      libc.close(idle);
      const [ours, theirs] = descriptors.pair();
      const address = new Address("tcp", "127.0.0.1", 1, "");
      const attempt = descriptors.admit(inherited(ours, address), new Door(descriptors), {});
      await rejects(attempt, "NOT_SUPPORTED", "is a connection");
      descriptors.close(theirs);
    },
  },
  {
    name: "setgroups takes what the process has; a limit of CPU time can be lifted",
    only: "tcp",
    needs: (harness) => both(needs(harness), harness.adapter.features.processCalls),
    async run(stage) {
      const calls = await stage.adapter.processCalls();
      const groups = process.getgroups!();
      if (process.getuid!() === 0) calls.setGroups(groups);
      else assert.throws(() => calls.setGroups(groups), { code: "EPERM" });
      assert.deepEqual(process.getgroups!(), groups);
      calls.limitCpu(3600);
      calls.limitCpu(0);
    },
  },
];
