/** A real browser, Chromium, without a window: what a page shows, and whatever goes wrong in it. */
import { after } from "node:test";
import type { Browser, Page } from "playwright-core";
import { pathOf } from "./packages.ts";
import type { Scope } from "./scope.ts";

/** How a page is looked at. */
export interface Look {
  readonly dark?: boolean;
  readonly width?: number;
  readonly height?: number;
}

export interface OpenPage {
  readonly page: Page;
  /** Errors, violations of its policy, and requests to other places. */
  readonly wrong: string[];
}

/** What opens pages; the browser is gone when the tests of the file are over. */
export function makeBrowser(): (scope: Scope, endpoint: string, look?: Look) => Promise<OpenPage> {
  let browser: Promise<Browser> | undefined;
  after(async () => await (await browser)?.close());
  return async (scope, endpoint, { dark = false, width = 1280, height = 1000 } = {}) => {
    const { chromium } = await import("playwright-core");
    browser ??= chromium.launch({ executablePath: pathOf("chromium")!, args: ["--no-sandbox"] });
    const context = await (await browser).newContext({
      colorScheme: dark ? "dark" : "light",
      viewport: { width, height },
    });
    scope.after(() => context.close());
    const page = await context.newPage();
    page.setDefaultTimeout(15_000);
    const wrong: string[] = [];
    page.on("pageerror", (error) => wrong.push(String(error)));
    page.on("console", (message) => {
      if (message.text().includes("Content Security Policy")) wrong.push(message.text());
    });
    page.on("request", (request) => {
      if (!request.url().startsWith(endpoint) && !request.url().startsWith("data:")) {
        wrong.push(`asked for ${request.url()}`);
      }
    });
    await page.goto(endpoint);
    return { page, wrong };
  };
}
