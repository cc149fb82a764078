/** The responses that Node's HTTP listener has made in the place of Node's own: nobody sees a difference. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { inspect } from "node:util";
import { isWhole, takeWhole, useWholeResponses } from "../adapters/node/whole-response.ts";
import { adapter } from "./support/adapter.ts";
import { startHooks } from "./support/in-process.ts";

const skip = adapter.name === "node" ? false : "only Node's adapter has them";
const Native = globalThis.Response;

/** Runs with them in place. */
async function inPlace<Result>(work: () => Result | Promise<Result>): Promise<Result> {
  const end = useWholeResponses();
  try {
    return await work();
  } finally {
    end();
  }
}

const BODIES: readonly unknown[] = [
  undefined,
  null,
  "",
  "hello",
  "\u044e\u2028\ud800",
  new Uint8Array([1, 2, 3]),
  new Uint8Array(),
  Buffer.from("buffer"),
  new ArrayBuffer(3),
  new Blob(["blob"], { type: "text/x-y" }),
  new URLSearchParams({ a: "b c" }),
  5,
  true,
  {},
];

const headersOf = (pairs: [string, string][]): Headers => new Headers(pairs);

const INITS: readonly unknown[] = [
  undefined,
  null,
  {},
  5,
  "text",
  { status: 200 },
  { status: 404, statusText: "Not Here" },
  { status: "201" },
  { status: 200.5 },
  { status: 199 },
  { status: 600 },
  { status: NaN },
  { status: 204 },
  { status: 205 },
  { status: 304 },
  { statusText: "a\nb" },
  { statusText: "\u044e" },
  { statusText: 5 },
  { headers: undefined },
  { headers: null },
  { headers: 5 },
  { headers: {} },
  { headers: { "content-type": "text/csv" } },
  { headers: { "Content-Type": "a/b", "X-B": "2", "x-a": "1", "Set-Cookie": "c=d" } },
  { headers: { A: "1", a: "2" } },
  { headers: { "10": "ten", "9": "nine" } },
  { headers: JSON.parse('{"__proto__":"x","constructor":"y"}') },
  { headers: { "x": " both ends\t" } },
  { headers: { "x": "" } },
  { headers: { "x": 5 } },
  { headers: { "x": undefined } },
  { headers: { "x": "a\nb" } },
  { headers: { "x": "\u044e" } },
  { headers: { "x": "\x01\x7f\xff" } },
  { headers: { "x y": "1" } },
  { headers: { "": "1" } },
  { headers: { [Symbol("x")]: "1" } },
  { headers: Object.create({ inherited: "1" }) },
  { headers: [["x", "1"], ["x", "2"], ["set-cookie", "a=1"], ["set-cookie", "b=2"]] },
  { headers: headersOf([["x", "1"], ["x", "2"], ["set-cookie", "a=1"], ["set-cookie", "b=2"]]) },
  { headers: new Map([["x", "1"]]) },
  { headers: { "content-length": "2", "transfer-encoding": "chunked" } },
];

/** What a program does with a response, and sees of it. */
const WAYS: Readonly<Record<string, (response: Response) => unknown>> = {
  head: ({ status, statusText, ok, type, url, redirected, bodyUsed }) => [
    status,
    statusText,
    ok,
    type,
    url,
    redirected,
    bodyUsed,
  ],
  headers: (response) => [[...response.headers], response.headers === response.headers],
  cookies: ({ headers }) => headers.getSetCookie(),
  text: async (response) => [await response.text(), response.bodyUsed],
  twice: async (response) => [await response.text(), await response.text()],
  json: (response) => response.json(),
  bytes: async (response) => [...new Uint8Array(await response.arrayBuffer())],
  blob: async (response) => {
    const blob = await response.blob();
    return [blob.type, await blob.text()];
  },
  form: async (response) => [...await response.formData()],
  body: async (response) => {
    const { body } = response;
    if (body === null) return null;
    const chunks = [];
    for await (const chunk of body) chunks.push(...chunk);
    return [chunks, response.bodyUsed, response.body === body];
  },
  clone: async (response) => {
    response.headers.set("x-early", "1");
    const copy = response.clone();
    response.headers.set("x-late", "1");
    return [
      await response.text(),
      await copy.text(),
      [...copy.headers],
      [...response.headers],
      copy.status,
      copy.statusText,
    ];
  },
  change: async (response) => {
    response.headers.set("content-type", "text/changed");
    response.headers.append("x", "more");
    return [[...response.headers], (await response.blob()).type];
  },
  "change late": async (response) => {
    void response.body;
    response.headers.set("content-type", "text/late");
    return [[...response.headers], (await response.blob()).type];
  },
  "take away": async (response) => {
    response.headers.delete("content-type");
    return [[...response.headers], (await response.blob()).type];
  },
  another: (response) => {
    const other = new Response("other", response);
    return [other.status, other.statusText, [...other.headers]];
  },
  "its body": async (response) => {
    const other = new Response(response.body);
    return [[...other.headers], await other.text(), response.bodyUsed];
  },
  "locked": (response) => {
    response.body?.getReader();
    return [response.bodyUsed, response.clone().status];
  },
  // Node shows the names of headers as they were written; nothing else tells of that.
  shown: (response) => inspect(response).replace(/Headers \{[^}]*\}/, ""),
  name: (response) => Object.prototype.toString.call(response),
  keys: (response) => {
    const keys = [];
    for (const key in response) keys.push(key);
    return [keys.sort(), Reflect.ownKeys(response), JSON.stringify(response)];
  },
  instance: (response) => [
    response instanceof Response,
    response instanceof Native,
    response.constructor === Response,
    response.constructor.name,
  ],
};

/** What comes of it, or the kind and text of what is thrown. */
async function outcome(
  way: (response: Response) => unknown,
  make: () => Response,
): Promise<unknown> {
  try {
    return { made: await way(make()) };
  } catch (error) {
    return { thrown: (error as Error).name, text: (error as Error).message };
  }
}

for (const [name, way] of Object.entries(WAYS)) {
  test(`it is Node's own in every way: ${name}`, { skip }, async () => {
    for (const body of BODIES) {
      for (const init of INITS) {
        const make = (): Response => new Response(body as BodyInit, init as ResponseInit);
        const expected = await outcome(way, make);
        const found = await inPlace(() => outcome(way, make));
        assert.deepEqual(found, expected, `${inspect(body)}, ${inspect(init)}`);
      }
    }
  });

  test(`Response.json is Node's own in every way: ${name}`, { skip }, async () => {
    for (const data of [undefined, null, 1, "x", { a: [1] }, { toJSON: () => undefined }, 1n]) {
      for (const init of INITS) {
        const make = (): Response => Response.json(data, init as ResponseInit);
        const expected = await outcome(way, make);
        assert.deepEqual(await inPlace(() => outcome(way, make)), expected, inspect(init));
      }
    }
  });
}

test("what a program made of the class before or after fits", { skip }, async () => {
  class Before extends Response {}
  const before = new Response("x");
  await inPlace(async () => {
    class After extends Response {}
    for (const each of [before, new Before("x"), new After("x"), new Native("x")]) {
      assert.ok(each instanceof Response && each instanceof Native);
      assert.equal(isWhole(each), false);
      assert.equal(await each.text(), "x");
    }
    assert.ok(new Before("x") instanceof Before && new After("x") instanceof After);
    assert.ok(isWhole(new Response("x")));
    assert.equal(Response.prototype, Native.prototype);
    assert.deepEqual(Reflect.ownKeys(Response).sort(), Reflect.ownKeys(Native).sort());
    assert.deepEqual([Response.name, Response.length], [Native.name, Native.length]);
    assert.throws(() => (Response as unknown as () => void)(), TypeError);
    assert.equal(Response.error().type, "error");
    assert.equal(Response.redirect("http://a.example/").status, 302);
  });
});

test("bytes and headers are those of the time when it was made", { skip }, async () => {
  await inPlace(async () => {
    const bytes = new Uint8Array([1, 2, 3]);
    const headers = new Headers({ x: "then" });
    const response = new Response(bytes, { headers });
    bytes[0] = 9;
    headers.set("x", "now");
    assert.equal(response.headers.get("x"), "then");
    assert.deepEqual([...await response.bytes()], [1, 2, 3]);
  });
});

test("it is sent once, and is used then", { skip }, async () => {
  await inPlace(async () => {
    const response = new Response("hello", { headers: { b: "1", a: "2" } });
    assert.ok(isWhole(response));
    const [status, body, fields] = takeWhole(response);
    assert.deepEqual([status, body], [200, "hello"]);
    const names = ["a", "b", "content-type"];
    assert.deepEqual(Object.keys(fields), [...names, "content-length"]);
    assert.deepEqual([...response.headers.keys()], names, "the fields are a copy");
    const bytes = new Response(new Uint8Array([1]), { headers: { a: "1" } });
    assert.deepEqual(Object.keys(takeWhole(bytes)[2]), ["a", "content-type", "content-length"]);
    assert.deepEqual([...bytes.headers.keys()], ["a"], "the bridge's own type is nobody else's");
    assert.equal(isWhole(response), false);
    assert.equal(response.bodyUsed, true);
    await assert.rejects(response.text(), TypeError);
    assert.throws(() => response.clone(), TypeError);
    for (const ask of [(it: Response) => it.body, (it: Response) => void it.text()]) {
      const asked = new Response("x");
      ask(asked);
      assert.equal(isWhole(asked), false, "Node's has the body now");
    }
    const late = new Response("x");
    late.headers.set("transfer-encoding", "chunked");
    assert.equal(isWhole(late), false);
  });
});

test(
  "Node's own is back when nobody asks for them any more; what somebody else has put there stays",
  {
    skip,
  },
  () => {
    const first = useWholeResponses();
    const second = useWholeResponses();
    assert.notEqual(globalThis.Response, Native);
    first();
    first();
    assert.notEqual(globalThis.Response, Native);
    second();
    assert.equal(globalThis.Response, Native);
    assert.equal(Native.prototype.constructor, Native);
    const end = useWholeResponses();
    const other = class extends Native {};
    const before = Object.getOwnPropertyDescriptor(globalThis, "Response")!;
    globalThis.Response = other;
    end();
    assert.equal(globalThis.Response, other);
    Object.defineProperty(globalThis, "Response", { ...before, value: Native });
    Native.prototype.constructor = Native;
  },
);

test("a server leaves the class as it was, and while it runs what was made before is a response", async (t) => {
  const before = new Native("before");
  const server = await startHooks(t, {
    fetch: ({ url }) => {
      assert.ok(before instanceof Response);
      return url.endsWith("/before") ? before : new Response("now");
    },
  }, { listen: "http://127.0.0.1:0" });
  assert.equal(globalThis.Response === Native, adapter.name !== "node");
  for (const path of ["before", "now"]) {
    const answer = await fetch(`${server.endpoint()}/${path}`, {
      headers: { connection: "close" },
    });
    assert.ok(answer instanceof Response);
    assert.equal(await answer.text(), path);
  }
  await server.running.kill();
  assert.equal(globalThis.Response, Native);
});
