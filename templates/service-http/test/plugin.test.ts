import assert from "node:assert/strict";
import { test } from "node:test";
import app from "../src/mod.ts";

test("it greets by name", async () => {
  const response = await app.fetch(new Request("http://localhost/hello/Ada%20L"));
  assert.equal(response.status, 200);
  assert.equal(await response.text(), "Hello, Ada L!\n");
});

test("there is nothing else", async () => {
  const response = await app.fetch(new Request("http://localhost/"));
  assert.equal(response.status, 404);
  assert.match(await response.text(), /Not Found/);
});
