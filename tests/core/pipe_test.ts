/** pipe: two streams that are passed on to each other. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect as connectTo, type Socket } from "node:net";
import { describe, test } from "node:test";
import { parseEndpoint } from "../../runtime/core/endpoint.ts";
import { definePlugin, type Plugin, type Session } from "../../runtime/core/plugin.ts";
import { pipe, type PipeOptions } from "../../runtime/core/stream/pipe.ts";
import { startHooks } from "../support/in-process.ts";
import { tcpServer } from "../support/outgoing.ts";
import { until, within } from "../support/until.ts";

interface Relay {
  readonly to: string;
  readonly form: "push" | "pull";
  readonly options?: PipeOptions;
  readonly done: () => void;
}

/** Passes on to `to`, after a line of its own that comes first. */
function relay({ to, form, options, done }: Relay): Plugin<never, never> {
  return definePlugin<Record<string, never>, Session>({
    name: "relay",
    transports: ["stream"],
    start: ({ connect }) => {
      async function serve(session: Session<unknown>): Promise<void> {
        await pipe(session, await connect(to), options);
        done();
      }
      // In push form it is piped before anything is read.
      async function setup(session: Session<undefined>): Promise<Session> {
        const upstream = await connect(to);
        void pipe(session, upstream, options).then(done);
        return upstream;
      }
      return form === "pull"
        ? { handle: serve }
        : { setup, data: () => assert.fail("it is piped") };
    },
  }) as unknown as Plugin<never, never>;
}

function dial(t: { after(done: () => void): void }, endpoint: string): Socket {
  const { host, port } = parseEndpoint(endpoint) as { host: string; port: number };
  const socket = connectTo({ host, port, allowHalfOpen: true });
  socket.on("error", () => {});
  t.after(() => void socket.destroy());
  return socket;
}

for (const form of ["pull", "push"] as const) {
  describe(`pipe, ${form} form`, () => {
    test("bytes and ends go both ways, each way for itself", async (t) => {
      const heard: string[] = [];
      const to = await tcpServer(t, (socket) => {
        socket.on("data", (chunk) => heard.push(String(chunk)));
        socket.on("end", () => socket.end("after your end"));
        socket.write("first");
      });
      let over = 0;
      const server = await startHooks(t, relay({ to, form, done: () => over++ }));
      const client = dial(t, server.endpoint());
      let answer = "";
      client.on("data", (chunk) => answer += chunk);
      await until("what speaks first", () => answer === "first");
      client.end("and last");
      await within("the end", once(client, "end"));
      assert.equal(answer, "firstafter your end");
      assert.equal(heard.join(""), "and last");
      await until("the pipe is over", () => over === 1);
      client.end();
      await until("close", () => server.all("close").length === 2);
    });

    test("100 MB go through both ways at once, to who reads late; what is on its way is bounded", async (t) => {
      const SIZE = 100 * 1024 * 1024;
      const to = await tcpServer(t, (socket) => {
        // It says all that it has before it looks.
        socket.end(new Uint8Array(SIZE));
        let length = 0;
        setTimeout(() => {
          socket.on("data", (chunk) => {
            length += chunk.length;
            received = length;
          });
        }, 200);
      });
      let received = 0;
      let over = 0;
      const server = await startHooks(t, relay({ to, form, done: () => over++ }));
      const client = dial(t, server.endpoint());
      client.end(new Uint8Array(SIZE));
      let answer = 0;
      setTimeout(() => client.on("data", (chunk) => answer += chunk.length), 400);
      await until("all of it", () => answer === SIZE && received === SIZE, 60_000);
      await until("the pipe is over", () => over === 1);
    });

    test("a reset of one is a reset of the other", async (t) => {
      for (const who of ["client", "upstream"]) {
        const upstreams: Socket[] = [];
        const gone = new Set<string>();
        // A reset is an error, or an end, as the runtime of this test sees it.
        const watch = (socket: Socket, name: string): void => {
          for (const event of ["close", "end", "error"]) socket.on(event, () => gone.add(name));
        };
        const to = await tcpServer(t, (socket) => {
          upstreams.push(socket);
          watch(socket, "upstream");
          socket.write("x");
        });
        let over = 0;
        const server = await startHooks(t, relay({ to, form, done: () => over++ }));
        const client = dial(t, server.endpoint());
        watch(client, "client");
        await within("a byte", once(client, "data"));
        (who === "client" ? client : upstreams[0]!).resetAndDestroy();
        await until("both are gone", () => gone.size === 2);
        await until("the pipe is over", () => over === 1);
        await until("close", () => server.all("close").length === 2);
      }
    });

    test("without half-close the end of one is the end of both", async (t) => {
      const ends: string[] = [];
      const to = await tcpServer(t, (socket) => {
        socket.on("end", () => ends.push("upstream"));
        socket.on("data", (chunk) => void socket.write(chunk));
      });
      let over = 0;
      const options = { halfClose: false };
      const server = await startHooks(t, relay({ to, form, options, done: () => over++ }));
      const client = dial(t, server.endpoint());
      client.write("echo");
      assert.equal(String(await within("the echo", once(client, "data"))), "echo");
      client.end();
      await within("the end", once(client, "end"));
      await until("the target's end", () => ends.length === 1);
      await until("the pipe is over", () => over === 1);
    });
  });
}

test("what cannot be piped is refused, and goes on", async (t) => {
  const refused = Promise.withResolvers<unknown[]>();
  const server = await startHooks(t, {
    data(session: Session) {
      const attempt = (a: unknown, b: unknown): string => {
        try {
          void pipe(a as Session, b as Session);
          return "taken";
        } catch (error) {
          return (error as Error).message;
        }
      };
      refused.resolve([
        attempt(session, session),
        attempt(session, {}),
        attempt(undefined, session),
      ]);
      session.write("goes on");
    },
  });
  const client = dial(t, server.endpoint());
  client.write("x");
  assert.deepEqual(await within("the errors", refused.promise), [
    "Cannot pipe: two sessions are due, received one twice",
    "Cannot pipe: stream sessions are due, received something else",
    "Cannot pipe: stream sessions are due, received something else",
  ]);
  assert.equal(String(await within("an answer", once(client, "data"))), "goes on");
});
