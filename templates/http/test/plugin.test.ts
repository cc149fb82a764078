import assert from "node:assert/strict";
import { test } from "node:test";
import { open } from "portico/testing";
import plugin from "../src/mod.ts";

test("it greets by name", async () => {
  await using service = await open(plugin, { options: { greeting: "Good evening" } });
  const response = await service.fetch("/hello/Ada%20L");
  assert.equal(response.status, 200);
  assert.equal(await response.text(), "Good evening, Ada L!\n");
});

test("there is nothing else", async () => {
  await using service = await open(plugin);
  const response = await service.fetch("/");
  assert.equal(response.status, 404);
  assert.match(await response.text(), /Not Found/);
});

test("a greeting that is no text is refused", async () => {
  await assert.rejects(open(plugin, { options: { greeting: 7 } }), /greeting/);
});
