/** Nothing is left behind: no descriptor, however often something is opened, or fails to be. */
import assert from "node:assert/strict";
import { existsSync, readdirSync } from "node:fs";
import type { Support } from "../../runtime/core/contract.ts";
import { until } from "../support/until.ts";
import type { Harness } from "./harness.ts";
import type { Case } from "./stage.ts";
import { both } from "./stage.ts";

const proc = ({ kernel }: Harness): Support =>
  both(kernel, existsSync("/proc/self/fd") || { reason: "there is no /proc/self/fd to count" });

function count(): number {
  return readdirSync("/proc/self/fd").length;
}

/** Waits until there are as many as before; what a runtime closes, it may close a little later. */
async function back(to: number): Promise<void> {
  await until(() => `${to} descriptors, there are ${count()}`, () => count() <= to);
}

export const leaks: readonly Case[] = [
  {
    name: "200 binds leave no descriptor",
    needs: proc,
    async run(stage) {
      // What is loaded at the first need stays.
      await (await stage.open(stage.harness.place(stage.transport))).close();
      await stage.settle();
      const before = count();
      for (let i = 0; i < 200; i++) {
        await (await stage.open(stage.harness.place(stage.transport))).close();
      }
      await back(before);
    },
  },
  {
    name: "1,024 failing binds leave no descriptor",
    needs: proc,
    async run(stage) {
      const bound = await stage.open(stage.harness.place(stage.transport));
      const { transport, host, port, path } = bound.address;
      const same = host === ""
        ? { transport: transport as "unix", path }
        : { transport: transport as "tcp", host, port };
      const fail = async (): Promise<void> => {
        await assert.rejects(stage.open(same), { code: "EADDRINUSE" });
      };
      await fail();
      await stage.settle();
      const before = count();
      for (let i = 0; i < 1024; i++) await fail();
      await back(before);
      await bound.close();
    },
  },
];

export const connectionLeaks: readonly Case[] = [
  {
    name: "200 connections, ended in all ways, leave no descriptor",
    needs: proc,
    async run(stage) {
      const server = await stage.listen({
        open(connection) {
          const way = server_connections() % 4;
          if (way === 0) connection.abort();
          if (way === 1) connection.abort(true);
          if (way === 2) connection.end();
        },
        end: (connection) => connection.end(),
      });
      function server_connections(): number {
        return server.connections.length;
      }
      (await stage.connect(server)).end();
      const first = await server.connection(0);
      await until("its close", () => first.closed);
      await stage.settle();
      const before = count();
      for (let i = 0; i < 200; i++) (await stage.connect(server)).end();
      await until("200 closes", () => server.connections.every(({ closed }) => closed));
      await back(before);
    },
  },
];
