/** The files of the dashboard, as they lie beside this one; uPlot's come from its package. */
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";

const TYPES: Readonly<Record<string, string>> = {
  html: "text/html; charset=utf-8",
  js: "text/javascript; charset=utf-8",
  css: "text/css; charset=utf-8",
};

/** Where the package has them. */
const PACKAGED: Readonly<Record<string, string>> = {
  "uplot.js": "uplot/dist/uPlot.iife.min.js",
  "uplot.css": "uplot/dist/uPlot.min.css",
};

const read = new Map<string, string>();

/** One of them. 404 where uPlot is not installed: the page does without lines then. */
export function asset(name: string): Response {
  let text = read.get(name);
  if (text === undefined) {
    const path = pathOf(name);
    if (path === undefined) return new Response("not installed\n", { status: 404 });
    text = readFileSync(path, "utf8");
    read.set(name, text);
  }
  const type = TYPES[name.slice(name.lastIndexOf(".") + 1)]!;
  return new Response(text, { headers: { "content-type": type } });
}

function pathOf(name: string): string | undefined {
  const packaged = PACKAGED[name];
  if (packaged === undefined) return fileURLToPath(new URL(name, import.meta.url).href);
  try {
    const path = createRequire(import.meta.url).resolve(packaged);
    return existsSync(path) ? path : undefined;
  } catch {
    return undefined;
  }
}
