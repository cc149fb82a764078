/** The site of the documents, built and opened in a real browser: Chromium, headless. */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join, normalize } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import type { Browser, Page } from "playwright-core";
import { commandOn, runToEnd } from "../support/command.ts";
import { lackingPrograms, pathOf } from "../support/packages.ts";
import type { Scope } from "../support/scope.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url).href);
const skip = lackingPrograms("chromium");
const TYPES: Readonly<Record<string, string>> = {
  html: "text/html; charset=utf-8",
  js: "text/javascript",
  css: "text/css",
  json: "application/json",
  png: "image/png",
  woff2: "font/woff2",
};

describe("the site of the documents", { skip }, () => {
  const site = mkdtempSync(join(tmpdir(), "portico-site-"));
  const server = createServer(({ url = "/" }, answer) => {
    const path = normalize(new URL(url, "http://localhost").pathname);
    const file = path.endsWith("/") ? `${path}index.html` : path;
    try {
      const bytes = readFileSync(join(site, file));
      answer.writeHead(200, { "content-type": TYPES[file.split(".").at(-1)!] ?? "text/plain" })
        .end(bytes);
    } catch {
      answer.writeHead(404).end();
    }
  });
  let browser: Browser;
  let origin: string;

  before(async () => {
    const words = ["build", "docs", "--outDir", site];
    const [program, script] = commandOn("node", `${ROOT}node_modules/vitepress/bin/vitepress.js`);
    // A page that is linked and missing, or a place in one, stops the build.
    const { code, err } = await runToEnd([program, [...script, ...words]], { NO_COLOR: "1" });
    assert.equal(code, 0, err);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const { chromium } = await import("playwright-core");
    browser = await chromium.launch({
      executablePath: pathOf("chromium")!,
      args: ["--no-sandbox"],
    });
  });
  after(async () => {
    await browser?.close();
    server.closeAllConnections();
    server.close();
    rmSync(site, { recursive: true, force: true });
  });

  /** Opens a page; whatever goes wrong in it is kept, and so is what it asks others for. */
  async function open(t: Scope, path: string): Promise<{ page: Page; wrong: string[] }> {
    const page = await browser.newPage();
    t.after(() => page.close());
    page.setDefaultTimeout(15_000);
    const wrong: string[] = [];
    page.on("pageerror", (error) => wrong.push(String(error)));
    page.on("console", (message) => {
      if (message.type() === "error") wrong.push(message.text());
    });
    page.on("request", (request) => {
      const url = request.url();
      if (!url.startsWith(origin) && !url.startsWith("data:")) wrong.push(`asked for ${url}`);
    });
    page.on("response", (response) => {
      if (response.status() >= 400) wrong.push(`${response.status()} ${response.url()}`);
    });
    await page.goto(`${origin}${path}`);
    return { page, wrong };
  }

  test("its search finds a key of the manifest, and a hit leads there", async (t) => {
    const { page, wrong } = await open(t, "/");
    await page.locator("button.DocSearch-Button").first().click();
    await page.locator(".VPLocalSearchBox input").fill("perSource");
    const hit = page.locator(".VPLocalSearchBox .result[href*='limits']").first();
    await hit.click();
    await page.waitForURL(/limits/);
    await page.locator(".vp-doc", { hasText: "perSource" }).first().waitFor();
    assert.deepEqual(wrong, []);
  });

  test("its navigation leads to every page", async (t) => {
    const { page, wrong } = await open(t, "/guide/first-server.html");
    const links = await page.locator(".VPSidebar a").evaluateAll((all) =>
      all.map((link) => (link as HTMLAnchorElement).href)
    );
    assert.ok(links.length > 20, `${links.length} pages`);
    for (const link of links) {
      const answer = await fetch(link);
      assert.equal(answer.status, 200, link);
      await answer.body?.cancel();
    }
    assert.deepEqual(wrong, []);
  });
});
