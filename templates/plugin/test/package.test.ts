/** What others find this package by, and what tells Portico that it fits. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { API } from "portico";

test("the package can be found, and says which API it was written for", () => {
  const path = fileURLToPath(new URL("../package.json", import.meta.url).href);
  const { keywords, portico } = JSON.parse(readFileSync(path, "utf8"));
  assert.ok(keywords.includes("portico-plugin"));
  assert.equal(portico.api, API);
});
