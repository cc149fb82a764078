import assert from "node:assert/strict";
import { test } from "node:test";
import { makeApp } from "../src/app.ts";

const get = (path: string): Request => new Request(`http://localhost${path}`);

test("it greets by name", async () => {
  const response = await makeApp({ greeting: "Good evening" }).fetch(get("/hello/Ada%20L"));
  assert.equal(response.status, 200);
  assert.equal(await response.text(), "Good evening, Ada L!\n");
});

test("there is nothing else", async () => {
  const response = await makeApp({ greeting: "Hello" }).fetch(get("/"));
  assert.equal(response.status, 404);
  await response.body?.cancel();
});
