/** What others find this package by, and what tells Portico that it fits. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { API } from "portico";

test("the package can be found, and says which API it was written for", () => {
  const text = readFileSync(new URL("../package.json", import.meta.url), "utf8");
  const { keywords, portico } = JSON.parse(text);
  assert.ok(keywords.includes("portico-plugin"));
  assert.equal(portico.api, API);
});
