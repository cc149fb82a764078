/** The dashboard, in a real browser: Chromium, headless. */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import type { Browser, Page } from "playwright-core";
import { RUNTIMES } from "../support/command.ts";
import { ManagedServer, TCP } from "../support/managed-server.ts";
import { lackingPrograms, pathOf } from "../support/packages.ts";
import { dial } from "../support/peers.ts";
import type { Scope } from "../support/scope.ts";

const skip = lackingPrograms("chromium");
const TOKEN = "0123456789abcdef-secret";
const HTTP = "http://127.0.0.1:0";

let browser: Promise<Browser> | undefined;
after(async () => await (await browser)?.close());

/** Opens a page; whatever goes wrong in it is kept. */
async function open(
  t: Scope,
  endpoint: string,
  dark = false,
): Promise<{ page: Page; wrong: string[] }> {
  const { chromium } = await import("playwright-core");
  browser ??= chromium.launch({ executablePath: pathOf("chromium")!, args: ["--no-sandbox"] });
  const context = await (await browser).newContext({
    colorScheme: dark ? "dark" : "light",
    viewport: { width: 1280, height: 1000 },
  });
  t.after(() => context.close());
  const page = await context.newPage();
  page.setDefaultTimeout(10_000);
  const wrong: string[] = [];
  page.on("pageerror", (error) => wrong.push(String(error)));
  page.on("request", (request) => {
    if (!request.url().startsWith(endpoint) && !request.url().startsWith("data:")) {
      wrong.push(`asked for ${request.url()}`);
    }
  });
  await page.goto(endpoint);
  return { page, wrong };
}

for (const runtime of RUNTIMES) {
  test(`it shows services, lines, records and peers; its buttons ask, then act (${runtime})`, {
    skip,
  }, async (t) => {
    const managed = await ManagedServer.start(
      t,
      {
        echo: { plugin: "echo", listen: TCP },
        time: { plugin: "daytime", listen: TCP },
        admin: { plugin: "admin", listen: HTTP },
      },
      {},
      { runtime },
    );
    const { page, wrong } = await open(t, await managed.endpoint("admin", "http"));
    await page.locator("#server", { hasText: `on ${runtime}` }).waitFor();
    const row = page.locator("#services tr", { hasText: "echo" });
    await row.locator('.state[data-state="running"]').waitFor();
    await page.locator("#live canvas").waitFor();
    const peer = await dial(t, await managed.endpoint("echo", "tcp"));
    await peer.echo("hello");
    await page.locator("#services tr", { hasText: "echo" }).locator("td.number", { hasText: /^1$/ })
      .first()
      .waitFor();
    peer.end();
    await page.locator("#busiest td", { hasText: "127.0.0.1" }).waitFor();
    await page.locator("#records li", { hasText: "close echo" }).waitFor();
    await page.locator("#text").fill("no record says this");
    assert.equal(await page.locator("#records li").count(), 0);
    await page.locator("#text").fill("");
    await page.locator("#service").selectOption("echo");
    await page.locator("#records li", { hasText: "open echo" }).waitFor();
    assert.equal(await page.locator("#records li", { hasText: "listening time" }).count(), 0);
    // Cancelled, by keyboard: nothing has happened.
    await page.getByRole("button", { name: "Suspend echo" }).focus();
    await page.keyboard.press("Enter");
    await page.locator("#confirm[open]").waitFor();
    await page.keyboard.press("Escape");
    assert.equal((await managed.service("echo")).state, "running");
    await page.getByRole("button", { name: "Suspend echo" }).click();
    await page.getByRole("button", { name: "Do it" }).click();
    await row.locator('.state[data-state="suspended"]').waitFor();
    assert.equal((await managed.service("echo")).state, "suspended");
    await page.getByRole("button", { name: "Resume echo" }).click();
    await page.getByRole("button", { name: "Do it" }).click();
    await row.locator('.state[data-state="running"]').waitFor();
    await page.getByRole("button", { name: "Suspend admin" }).click();
    await page.getByRole("button", { name: "Do it" }).click();
    await page.locator("#message", { hasText: "use portico ctl" }).waitFor();
    assert.deepEqual(wrong, []);
  });
}

test("it asks for the token once, and is dark where that is wanted", { skip }, async (t) => {
  const managed = await ManagedServer.start(t, {
    admin: { plugin: "admin", listen: HTTP, options: { token: TOKEN } },
  });
  const { page, wrong } = await open(t, await managed.endpoint("admin", "http"), true);
  await page.locator("#ask[open]").waitFor();
  await page.locator("#token").fill("wrong");
  await page.keyboard.press("Enter");
  await page.locator("#ask[open]").waitFor();
  await page.locator("#token").fill(TOKEN);
  await page.keyboard.press("Enter");
  await page.locator('#services .state[data-state="running"]').waitFor();
  await page.locator("#records li", { hasText: "ready" }).waitFor();
  await page.reload();
  await page.locator('#services .state[data-state="running"]').waitFor();
  const ground = await page.evaluate("getComputedStyle(document.body).backgroundColor");
  assert.equal(ground, "rgb(21, 24, 26)");
  assert.deepEqual(wrong, []);
});
