/** What a peer sees of an answer is what it would see of the runtime's bare server; what a body throws is told of. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { openAsBlob } from "node:fs";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { serveBare } from "../support/bare-http.ts";
import { folder } from "../support/folder.ts";
import { type InProcessServer, startHooks } from "../support/in-process.ts";
import { send } from "../support/requests.ts";
import { until, within } from "../support/until.ts";

const encoder = new TextEncoder();

/** A body of several chunks, `pause` ms apart; the last of them may be an error. */
function stream(
  chunks: readonly unknown[],
  pause = 0,
  source: { type?: "bytes" } = {},
): ReadableStream {
  const left = [...chunks];
  return new ReadableStream({
    ...source as object,
    async pull(controller) {
      if (pause > 0) await sleep(pause);
      const chunk = left.shift();
      if (chunk instanceof Error) throw chunk;
      if (chunk === undefined) return controller.close();
      controller.enqueue(typeof chunk === "string" ? encoder.encode(chunk) : chunk as Uint8Array);
    },
  });
}

function form(): FormData {
  const form = new FormData();
  form.set("name", "value");
  return form;
}

const type = { headers: { "content-type": "text/csv" } };

/** A file as this runtime has it: Bun's own, else a blob. */
async function fileAt(path: string): Promise<Blob> {
  const { Bun } = globalThis as { Bun?: { file(path: string): Blob } };
  return Bun?.file(path) ?? await openAsBlob(path);
}

function answers(file: string): Record<string, () => Response | Promise<Response>> {
  return {
    "a string": () => new Response("hello"),
    "a string that is typed": () => new Response("a,b", type),
    "a string of two bytes each": () => new Response("\u044e\u2028"),
    "a string of events": () =>
      new Response("data: x\n\n", { headers: { "content-type": "text/event-stream" } }),
    "a long string": () => new Response("x".repeat(100_000)),
    "a string with a text of its status": () =>
      new Response("x", { status: 404, statusText: "Not Here At All" }),
    "an empty string": () => new Response(""),
    "nothing": () => new Response(null),
    "JSON": () => Response.json({ a: [1, 2, 3] }),
    "bytes": () => new Response(new Uint8Array([1, 2, 3])),
    "bytes of no length": () => new Response(new Uint8Array()),
    "a buffer": () => new Response(new ArrayBuffer(7)),
    "a blob": () => new Response(new Blob(["x"], { type: "text/x-y" })),
    "a blob without a type": () => new Response(new Blob(["x"])),
    "a form": () => new Response(form()),
    "parameters": () => new Response(new URLSearchParams({ a: "b c" })),
    "a file": async () => new Response(await fileAt(file)),
    "a slice of a file": async () => new Response((await fileAt(file)).slice(2, 9)),
    "the stream of a file": async () => new Response((await fileAt(file)).stream()),
    "the stream of a blob": () => new Response(new Blob(["x"], { type: "text/x-y" }).stream()),
    "the body of another response": () => new Response(new Response("other").body),
    "a stream that is there": () => new Response(stream(["one"])),
    "a stream that comes": () => new Response(stream(["one", "two", "three"], 5)),
    "a stream that is typed": () => new Response(stream(["one", "two"], 5), type),
    "a stream with a length": () =>
      new Response(stream(["one", "two"], 5), { headers: { "content-length": "6" } }),
    "a stream of bytes": () => new Response(stream(["one"], 5, { type: "bytes" })),
    "a stream with a text of its status": () =>
      new Response(stream(["one"], 5), { status: 404, statusText: "Not Here At All" }),
    "204": () => new Response(null, { status: 204 }),
    "304": () => new Response(null, { status: 304, headers: { etag: '"x"' } }),
    "a redirect": () => Response.redirect("http://example.com/there", 307),
    "cookies": () =>
      new Response("x", { headers: [["set-cookie", "a=1"], ["set-cookie", "b=2; Path=/"]] }),
    "a failure": () => new Response("no", { status: 503, headers: { "retry-after": "7" } }),
  };
}

/** What comes for one request, until the connection ends: its head as it is, but for the date and the case of names. */
async function ask(port: number, method: string, path: string): Promise<string> {
  const socket: Socket = connect(port, "127.0.0.1").setEncoding("latin1");
  let text = "";
  socket.on("data", (chunk: string) => text += chunk).on("error", () => {});
  const host = "Host: localhost\r\nConnection: close\r\n";
  socket.write(`${method} ${path} HTTP/1.1\r\n${host}\r\n`);
  await within(`the end of ${method} ${path}`, new Promise((end) => socket.once("close", end)));
  const boundary = /boundary="?([-\w]+)/.exec(text)?.[1];
  const plain = boundary === undefined ? text : text.replaceAll(boundary, "BOUNDARY");
  return plain.replace(/^date: .*\r\n/im, "").replace(
    /^[-\w]+(?=: )/gm,
    (name) => name.toLowerCase(),
  );
}

test("all headers are those of the bare server, whatever the body is", async (t) => {
  const made = answers(join(folder(t, { "file.txt": "the contents of a file" }), "file.txt"));
  const handler = (request: Request): Response | Promise<Response> =>
    made[decodeURIComponent(new URL(request.url).pathname.slice(1))]!();
  const bare = await serveBare(t, handler);
  for (const slow of [false, true]) {
    const server = await startHooks(t, {
      fetch: slow ? async (request) => (await sleep(1), handler(request)) : handler,
    }, { listen: "http://127.0.0.1:0" });
    const own = Number(new URL(server.endpoint()).port);
    for (const name of Object.keys(made)) {
      for (const method of ["GET", "HEAD"]) {
        const path = `/${encodeURIComponent(name)}`;
        const [expected, received] = [await ask(bare, method, path), await ask(own, method, path)];
        assert.equal(received, expected, `${method}, ${name}`);
      }
    }
    assert.deepEqual(server.all("error"), []);
  }
});

async function failing(t: TestContext, body: () => BodyInit, init?: ResponseInit): Promise<{
  readonly server: InProcessServer;
  readonly text: string;
}> {
  const server = await startHooks(t, { fetch: () => new Response(body(), init) }, {
    listen: "http://127.0.0.1:0",
  });
  const text = await ask(Number(new URL(server.endpoint()).port), "GET", "/x");
  await server.record("close");
  return { server, text };
}

const failures: Record<string, readonly [() => BodyInit, ResponseInit?]> = {
  "in the middle": [() => stream(["one", "two", new Error("it broke")], 5)],
  "in the middle, typed": [() => stream(["one", new Error("it broke")], 5), type],
  "in the middle of what says that it streams": [
    () => stream(["one", new Error("it broke")], 5),
    { headers: { "transfer-encoding": "chunked" } },
  ],
  "in the middle of events": [
    () => stream(["data: x\n\n", new Error("it broke")], 5),
    { headers: { "content-type": "text/event-stream" } },
  ],
  "in the middle of a stream of bytes": [
    () => stream(["one", new Error("it broke")], 5, { type: "bytes" }),
  ],
  "at once": [() => stream([new Error("it broke")])],
  "by what is no error": [() => new ReadableStream({ pull: () => Promise.reject("it broke") })],
};

for (const [when, [body, init]] of Object.entries(failures)) {
  test(`a body that throws ${when} is an error, of its session, and not whole`, async (t) => {
    const { server, text } = await failing(t, body, init);
    const about = server.records.filter(({ event }) => event === "error" || event === "close");
    assert.deepEqual(about.map(({ event }) => event), ["error", "close"]);
    const [error, close] = about;
    assert.equal(error!.level, "error");
    assert.equal(error!.code, "HOOK_FAILED");
    assert.match(String(error!.message), /it broke/);
    assert.equal(error!.session, close!.session);
    assert.equal(close!.reason, "error");
    assert.doesNotMatch(text, /broke|0\r\n\r\n$/);
    assert.equal(server.status().errors, 1);
  });
}

test("a chunk that is no bytes is an error that says so", async (t) => {
  const { server, text } = await failing(t, () => stream(["one", 5, "two"], 5));
  const error = server.all("error")[0];
  assert.match(String(error?.message), /has to be bytes: received a chunk of number/);
  assert.doesNotMatch(text, /has to be|0\r\n\r\n$/);
});

test("a response that was sent already is an error that says so", async (t) => {
  const once = new Response("only once");
  const server = await startHooks(t, { fetch: () => once }, { listen: "http://127.0.0.1:0" });
  const port = Number(new URL(server.endpoint()).port);
  assert.match(await ask(port, "GET", "/"), /^HTTP\/1\.1 200 .*only once/s);
  const again = await ask(port, "GET", "/");
  if (again.endsWith("only once")) return t.skip("this runtime sends one twice");
  assert.match(again, /^HTTP\/1\.1 500 /);
  const error = server.all("error")[0];
  assert.match(String(error?.message), /can be sent: received one whose body was read/);
});

test("a peer that leaves in the middle of its body, or of ours, is no error", async (t) => {
  const server = await startHooks(t, {
    fetch: async (request) => {
      if (request.method === "GET") return new Response(stream(Array(100).fill("more"), 5));
      return new Response(await request.text());
    },
  }, { listen: "http://127.0.0.1:0" });
  const answer = await send(server.endpoint(), "/");
  answer.on("error", () => {});
  await once(answer, "data");
  answer.destroy();
  await server.record("close");
  for (
    const rest of ["Content-Length: 100\r\n\r\nhalf", "Transfer-Encoding: chunked\r\n\r\n4\r\nhalf"]
  ) {
    const socket = connect(Number(new URL(server.endpoint()).port), "127.0.0.1");
    socket.write(`POST / HTTP/1.1\r\nHost: localhost\r\n${rest}`);
    await until("the request", () => server.live() === 1);
    socket.destroy();
    await until("its end", () => server.live() === 0);
  }
  assert.deepEqual(
    server.records.filter(({ event }) => event === "close" || event === "error").map((
      { event, level, reason },
    ) => [event, level, reason]),
    Array(3).fill(["close", "debug", "peer"]),
  );
});
