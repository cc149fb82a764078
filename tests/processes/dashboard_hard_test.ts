/** The dashboard where it is hard: a server that hangs, a flood of records, fifty services and long names. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Page } from "playwright-core";
import { makeBrowser } from "../support/browser.ts";
import { ManagedServer, TCP } from "../support/managed-server.ts";
import { lackingPrograms } from "../support/packages.ts";
import { dial } from "../support/peers.ts";
import { pluginPath } from "../support/server-process.ts";

const skip = lackingPrograms("chromium");
const HTTP = "http://127.0.0.1:0";
const LONG = "a-service-with-a-name-of-sixty-letters-which-nobody-would-use";
const open = makeBrowser();

/** What is out of sight at the sides of the window, and what is broken within a word that would fit. */
async function misfits(page: Page): Promise<readonly string[]> {
  return await page.evaluate(`(() => {
    const wrong = [];
    const { scrollWidth, clientWidth } = document.documentElement;
    if (scrollWidth > clientWidth) wrong.push("the page is " + scrollWidth + " wide");
    for (const one of document.querySelectorAll("button, input, select, td, dd, figure")) {
      const { left, right, width } = one.getBoundingClientRect();
      if (width > 0 && (left < 0 || right > clientWidth)) {
        wrong.push("out of sight: " + one.outerHTML.slice(0, 120));
      }
    }
    for (const part of document.querySelectorAll("code .whole")) {
      const code = part.closest("code").getBoundingClientRect();
      if (part.getClientRects().length > 1 || part.getBoundingClientRect().right > code.right + 1) {
        wrong.push("broken: " + part.textContent);
      }
    }
    return wrong;
  })()`) as string[];
}

test(
  "a server that does not answer is told, its rows are grey, and the page goes on when it is back",
  {
    skip,
  },
  async (t) => {
    const listen = ["http://127.0.0.1:0"];
    const managed = await ManagedServer.start(t, {
      echo: { plugin: "echo", listen: TCP },
      admin: { plugin: "admin", listen },
    });
    const endpoint = await managed.endpoint("admin", "http");
    const { page, wrong } = await open(t, endpoint);
    const suspend = page.getByRole("button", { name: "Suspend echo" });
    await suspend.waitFor();
    const color = async () =>
      String(
        await page.evaluate(
          "getComputedStyle(document.querySelector('#services .state'), '::before').backgroundColor",
        ),
      );
    const green = await color();
    // It hangs: its sockets are open, and nobody answers.
    managed.process.signal("SIGSTOP");
    await page.locator("#connected", { hasText: "does not answer" }).waitFor();
    await page.locator("#age", { hasText: /is \d+s old, of \d\d:\d\d:\d\d/ }).waitFor();
    assert.notEqual(await color(), green);
    assert.ok(await suspend.isDisabled());
    managed.process.signal("SIGCONT");
    await page.locator('#connection[data-state="live"]').waitFor();
    assert.equal(await color(), green);
    assert.equal(await page.locator("#age").innerText(), "");
    // It is gone, and another one comes to its place.
    const lines = await page.locator("#records [role=option]").count();
    assert.ok(lines > 0);
    await managed.process.stop();
    await page.locator("#connected", { hasText: "does not answer" }).waitFor();
    await page.locator("#records .note", { hasText: "connection was lost" }).waitFor();
    managed.write({
      echo: { plugin: "echo", listen: TCP },
      more: { plugin: "daytime", listen: TCP },
      admin: { plugin: "admin", listen: endpoint },
    });
    await managed.start();
    await page.locator("#services tbody", { hasText: "more" }).waitFor();
    assert.ok(await suspend.isEnabled());
    assert.ok(await page.locator("#records [role=option]").count() > lines, "those of before stay");
    assert.deepEqual(wrong, []);
  },
);

test(
  "ten thousand records a second lock up neither the page nor the server",
  { skip },
  async (t) => {
    const managed = await ManagedServer.start(t, {
      noise: { plugin: pluginPath("noise"), listen: TCP, log: "none" },
      admin: { plugin: "admin", listen: HTTP },
    });
    const { page, wrong } = await open(t, await managed.endpoint("admin", "http"));
    const peer = await dial(t, await managed.endpoint("noise", "tcp"));
    peer.send("begin");
    await page.locator("#records .note", { hasText: /[\d,]+ more, not shown/ }).first().waitFor();
    // What matters is among those that are shown.
    await page.locator("#level").selectOption("error");
    await page.locator("#records .words", { hasText: "this one matters" }).first().waitFor();
    await page.locator("#level").selectOption("info");
    // The page still answers at once: the longest of its turns while it is flooded, in ms.
    const longest = Number(
      await page.evaluate(`new Promise((resolve) => {
      let [longest, last] = [0, performance.now()];
      const timer = setInterval(() => {
        const now = performance.now();
        longest = Math.max(longest, now - last);
        last = now;
      }, 10);
      setTimeout(() => { clearInterval(timer); resolve(longest); }, 2000);
    })`),
    );
    assert.ok(longest < 1000, `${longest} ms`);
    assert.ok(await page.locator("#records").locator("> *").count() <= 500);
    t.diagnostic?.(`the longest turn of the page took ${Math.round(longest)} ms`);
    assert.deepEqual(wrong, []);
  },
);

test("fifty services are told apart: what does not run is named, eight lines are drawn", {
  skip,
}, async (t) => {
  const names = Array.from({ length: 50 }, (_, index) => `service-${index + 1}`);
  const services = Object.fromEntries(names.map((name) => [name, { plugin: "echo", listen: TCP }]));
  const many = await ManagedServer.start(t, {
    ...services,
    [LONG]: {
      plugin: "echo",
      listen: [TCP, "tcp://[::1]:0", "unix:./a-socket-with-a-long-name-in-a-folder.sock"],
    },
    admin: { plugin: "admin", listen: HTTP },
  });
  await many.ask("suspend", { service: "service-33" });
  const { page, wrong } = await open(t, await many.endpoint("admin", "http"));
  await page.locator("#now .note", { hasText: "service-33: suspended" }).waitFor();
  await page.locator("#legend", { hasText: "45 others together" }).waitFor();
  assert.equal(await page.locator("#services > tbody").count(), 52);
  assert.deepEqual(await misfits(page), []);
  await page.setViewportSize({ width: 390, height: 844 });
  assert.deepEqual(await misfits(page), []);
  assert.deepEqual(wrong, []);
});
