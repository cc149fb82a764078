/** The dashboard, in a real browser: Chromium, headless. */
import assert from "node:assert/strict";
import { readFileSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { after, test } from "node:test";
import type { Browser, Page } from "playwright-core";
import { RUNTIMES } from "../support/command.ts";
import { folder } from "../support/folder.ts";
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
  viewport = { width: 1280, height: 1000 },
): Promise<{ page: Page; wrong: string[] }> {
  const { chromium } = await import("playwright-core");
  browser ??= chromium.launch({ executablePath: pathOf("chromium")!, args: ["--no-sandbox"] });
  const context = await (await browser).newContext({
    colorScheme: dark ? "dark" : "light",
    viewport,
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

const rowOf = (page: Page, service: string) =>
  page.locator("#services tbody", {
    has: page.getByRole("button", { name: service, exact: true }),
  });
const record = (page: Page, text: string | RegExp) =>
  page.locator("#records [role=option]", { hasText: text });

for (const runtime of RUNTIMES) {
  test(`it shows services, lines, records and peers; its buttons ask, then act (${runtime})`, {
    skip,
  }, async (t) => {
    const managed = await ManagedServer.start(
      t,
      {
        echo: { plugin: "echo", listen: TCP },
        time: { plugin: "daytime", listen: TCP, concurrency: "processes" },
        admin: { plugin: "admin", listen: HTTP },
      },
      {},
      { runtime },
    );
    const { page, wrong } = await open(t, await managed.endpoint("admin", "http"));
    await page.locator("#server", { hasText: `on ${runtime}` }).waitFor();
    const row = rowOf(page, "echo");
    await row.locator('.state[data-state="running"]').waitFor();
    await page.locator("#live canvas").waitFor();
    const peer = await dial(t, await managed.endpoint("echo", "tcp"));
    await peer.echo("hello");
    await row.locator('td[data-title="Live"]', { hasText: /^1$/ }).waitFor();
    peer.end();
    await page.locator("#busiest td", { hasText: "127.0.0.1" }).waitFor();
    // The console's words, with their level.
    const closed = record(page, "closed by the peer after");
    await closed.waitFor();
    assert.equal(await closed.getAttribute("data-level"), "info");
    await closed.click();
    await page.locator("#fields dd", { hasText: "close" }).waitFor();
    await page.getByRole("button", { name: "Close the fields" }).click();
    await page.locator("#text").fill("no record says this");
    assert.equal(await record(page, "").count(), 0);
    await page.locator("#text").fill("");
    await page.locator("#service").selectOption("echo");
    await record(page, "open from").waitFor();
    assert.equal(await page.locator("#records .service", { hasText: "time" }).count(), 0);
    // Workers, by their processes.
    await rowOf(page, "time").getByRole("button", { name: "time", exact: true }).click();
    const { workers } = await managed.service("time");
    await page.locator("#details-time", { hasText: String(workers[0]!.pid) }).waitFor();
    // Cancelled, by keyboard: nothing has happened.
    await page.getByRole("button", { name: "Suspend echo" }).focus();
    await page.keyboard.press("Enter");
    await page.locator("#confirm[open]").waitFor();
    await page.keyboard.press("Escape");
    assert.equal((await managed.service("echo")).state, "running");
    assert.equal(await page.getByRole("button", { name: "Resume echo" }).isVisible(), false);
    await page.getByRole("button", { name: "Suspend echo" }).click();
    await page.locator("#confirmed").click();
    await row.locator('.state[data-state="suspended"]').waitFor();
    await page.locator("#outcome", { hasText: "echo is suspended now" }).waitFor();
    assert.equal((await managed.service("echo")).state, "suspended");
    await page.getByRole("button", { name: "Suspend echo" }).waitFor({ state: "hidden" });
    await page.getByRole("button", { name: "Resume echo" }).click();
    await row.locator('.state[data-state="running"]').waitFor();
    // The one that serves the page has no buttons.
    await rowOf(page, "admin").locator("text=serves this page").waitFor();
    assert.equal(await page.getByRole("button", { name: "Suspend admin" }).isVisible(), false);
    // What goes wrong stays until it works, or is dismissed.
    managed.write({ echo: { plugin: "echo", listen: 7 } });
    await page.getByRole("button", { name: "Reload the manifest" }).click();
    await page.locator("#confirmed").click();
    await page.locator("#error", { hasText: "services.echo.listen" }).waitFor();
    await page.locator("#error").getByRole("button", { name: "Dismiss this message" }).click();
    assert.equal(await page.locator("#error").textContent(), "");
    assert.deepEqual(wrong, []);
  });
}

test("a server that is gone is grey, with its age; the page goes on when it is back", {
  skip,
}, async (t) => {
  const managed = await ManagedServer.start(t, { admin: { plugin: "admin", listen: HTTP } });
  const endpoint = await managed.endpoint("admin", "http");
  const { page } = await open(t, endpoint);
  await page.locator('#services .state[data-state="running"]').waitFor();
  const color = (): Promise<string> =>
    page.evaluate(
      'getComputedStyle(document.querySelector("#services .state"), "::before").backgroundColor + getComputedStyle(document.querySelector("main")).filter',
    );
  const green = await color();
  await managed.process.stop();
  await page.locator("#connected", { hasText: "does not answer" }).waitFor();
  await page.locator("#age", { hasText: /What is shown is \d+s old/ }).waitFor();
  assert.notEqual(await color(), green);
  assert.equal(await page.locator("#reload").isDisabled(), true);
  managed.write({ admin: { plugin: "admin", listen: endpoint } });
  await managed.start();
  await page.locator('#connection[data-state="live"]').waitFor();
  assert.equal(await color(), green);
  assert.equal(await page.locator("#age").textContent(), "");
});

const AXE = createRequire(import.meta.url).resolve("axe-core/axe.min.js");
/** Letters of a name that nobody would choose. */
const LONG = "a-service-with-a-name-of-sixty-letters-which-nobody-would-use";
const VIEWS = [
  ["desktop", { width: 1280, height: 1000 }],
  ["phone", { width: 390, height: 844 }],
] as const;

test("it is legible and accessible at the width of a desk and of a phone, light and dark", {
  skip,
}, async (t) => {
  const home = folder(t, {});
  const managed = await ManagedServer.start(t, {
    echo: {
      plugin: "echo",
      listen: [TCP, "udp://127.0.0.1:0", "unix:./a-directory-of-no-use.sock"],
    },
    workers: { plugin: "echo", listen: TCP, concurrency: { strategy: "processes", workers: 2 } },
    threads: { plugin: "echo", listen: "tcp://[::1]:0", concurrency: "threads" },
    [LONG]: { plugin: "time", listen: TCP },
    ...Object.fromEntries(
      Array.from({ length: 20 }, (_, i) => [`service-${i}`, { plugin: "discard", listen: TCP }]),
    ),
    admin: { plugin: "admin", listen: HTTP },
  });
  await managed.ask("suspend", { service: "service-3" });
  const endpoint = await managed.endpoint("admin", "http");
  const peer = await dial(t, await managed.endpoint("echo", "tcp"));
  await peer.echo("hello");
  for (const [name, viewport] of VIEWS) {
    for (const dark of [false, true]) {
      const view = `${name}, ${dark ? "dark" : "light"}`;
      const { page, wrong } = await open(t, endpoint, dark, viewport);
      await page.locator("#live canvas").waitFor();
      await rowOf(page, "workers").locator("button.disclose").click();
      await page.locator("#details-workers table, #details-workers dl").first().waitFor();
      const shot = join(home, `${name}-${dark ? "dark" : "light"}.png`);
      await page.screenshot({ path: shot, fullPage: true });
      assert.ok(statSync(shot).size > 10_000);
      const flaws = await page.evaluate(LAYOUT) as string[];
      assert.deepEqual(flaws, [], view);
      // By the debugger: the page's own policy lets no other script in.
      await page.evaluate(readFileSync(AXE, "utf8"));
      const violations = await page.evaluate(
        "axe.run().then(({ violations }) => violations.map(({ id, nodes }) => `${id}: ${nodes[0].html}`))",
      );
      assert.deepEqual(violations, [], view);
      assert.deepEqual(wrong, []);
    }
  }
});

/** What is wrong with the layout, in the page itself. */
const LAYOUT = `(() => {
  const flaws = [];
  const width = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth > width) flaws.push("the page is wider than the screen");
  for (const button of document.querySelectorAll("main button, header button")) {
    const { left, right, width: own } = button.getBoundingClientRect();
    if (own > 0 && (left < 0 || right > width)) flaws.push("out of sight: " + button.textContent);
  }
  for (const part of document.querySelectorAll("#services .whole")) {
    if (part.getClientRects().length > 1) flaws.push("broken: " + part.textContent);
  }
  for (const value of document.querySelectorAll("#services td.number span, #now dd")) {
    const { left, right } = value.getBoundingClientRect();
    if (left < 0 || right > width) flaws.push("a figure out of sight: " + value.textContent);
  }
  return flaws;
})()`;

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
  await record(page, "ready").first().waitFor();
  await page.reload();
  await page.locator('#services .state[data-state="running"]').waitFor();
  const ground = await page.evaluate("getComputedStyle(document.body).backgroundColor");
  assert.equal(ground, "rgb(20, 23, 26)");
  assert.deepEqual(wrong, []);
});
