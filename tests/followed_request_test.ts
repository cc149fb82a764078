/** Requests whose reads are known of: they are what they were to whoever has them. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { follow, isAwaited } from "../adapters/followed-request.ts";

const post = (body: RequestInit["body"]): Request => {
  const request = new Request(
    "http://a/b",
    { method: "POST", body, duplex: "half" } as RequestInit,
  );
  follow(request);
  return request;
};

/** A body of which more comes when it is asked for. */
function slowBody() {
  let controller!: ReadableStreamDefaultController<Uint8Array>;
  const stream = new ReadableStream<Uint8Array>({ start: (given) => void (controller = given) });
  const encoder = new TextEncoder();
  return {
    stream,
    give: (text: string) => controller.enqueue(encoder.encode(text)),
    end: () => controller.close(),
  };
}

test("a request that is followed reads as any", async () => {
  const request = post('{ "a": 1 }');
  assert.ok(request instanceof Request);
  assert.deepEqual([request.constructor, request.method, request.url, request.bodyUsed], [
    Request,
    "POST",
    "http://a/b",
    false,
  ]);
  const copy = request.clone();
  assert.deepEqual(await request.json(), { a: 1 });
  assert.equal(request.bodyUsed, true);
  assert.equal(await copy.text(), '{ "a": 1 }');
  await assert.rejects(request.text(), TypeError);
  assert.equal(await new Request(post("x")).text(), "x");
  assert.equal((await post("xyz").bytes()).length, 3);
  assert.equal((await post("xyz").arrayBuffer()).byteLength, 3);
  assert.equal((await post("xyz").blob()).size, 3);
  assert.equal((await post(new URLSearchParams({ a: "1" })).formData()).get("a"), "1");
  assert.equal(new Request("http://a/").body, null);
});

test("its body is one stream, which is the whole of it, and can be given on", async () => {
  const request = post("x".repeat(100_000));
  assert.equal(request.body, request.body);
  let length = 0;
  for await (const chunk of request.body!) length += chunk.length;
  assert.equal(length, 100_000);
  assert.equal(request.bodyUsed, true);
  assert.equal(await new Response(post("passed").body).text(), "passed");
  const given = new Request(
    "http://c/",
    { method: "PUT", body: post("on").body, duplex: "half" } as RequestInit,
  );
  assert.equal(await given.text(), "on");
  await post("gone").body!.cancel();
});

for (const how of ["text", "body"] as const) {
  test(`somebody waits for more while ${how} does, and not before or after it`, async () => {
    const { stream, give, end } = slowBody();
    const request = post(stream);
    assert.equal(isAwaited(request), false);
    const reading = how === "text" ? request.text() : new Response(request.body).text();
    give("Promise { <pen");
    await new Promise((resolve) => setTimeout(resolve, 5));
    assert.equal(isAwaited(request), true);
    give("ding> }");
    end();
    assert.equal(await reading, "Promise { <pending> }");
    assert.equal(isAwaited(request), false);
  });
}

test("a stream that nobody pulls is nobody's to wait for", async () => {
  const { stream, give } = slowBody();
  const request = post(stream);
  const reader = request.body!.getReader();
  give("first");
  await reader.read();
  await new Promise((resolve) => setTimeout(resolve, 5));
  assert.equal(isAwaited(request), false);
});
