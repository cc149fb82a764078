/** The files of the dashboard, as they lie beside this one; uPlot's come from its package. */
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";

const TYPES: Readonly<Record<string, string>> = {
  html: "text/html; charset=utf-8",
  js: "text/javascript; charset=utf-8",
  css: "text/css; charset=utf-8",
};

/** The modules of the page. */
const MODULES = [
  ...[
    "actions",
    "ask",
    "charts",
    "details",
    "format",
    "history",
    "message",
    "now",
    "peers",
    "records",
  ],
  "services",
];

/** By the path that they are asked for with. */
export const ASSETS: ReadonlyMap<string, string> = new Map([
  ["/", "page.html"],
  ...["page.js", "page.css", "uplot.js", "uplot.css"].map((name) => [`/${name}`, name] as const),
  ...MODULES.map((name) => [`/page/${name}.js`, `page/${name}.js`] as const),
]);

/** Where the package has them. */
const PACKAGED: Readonly<Record<string, string>> = {
  "uplot.js": "uplot/dist/uPlot.iife.min.js",
  "uplot.css": "uplot/dist/uPlot.min.css",
};

const read = new Map<string, string>();

/** One of them. 404 where uPlot cannot be had: the page does without lines then. */
export async function asset(name: string): Promise<Response> {
  let text = read.get(name);
  if (text === undefined) {
    try {
      text = await readFile(await pathOf(name), "utf8");
    } catch {
      return new Response("not installed\n", { status: 404 });
    }
    read.set(name, text);
  }
  const type = TYPES[name.slice(name.lastIndexOf(".") + 1)]!;
  return new Response(text, { headers: { "content-type": type } });
}

async function pathOf(name: string): Promise<string> {
  const packaged = PACKAGED[name];
  const beside = fileURLToPath(new URL(name, import.meta.url).href);
  // In an executable all of them lie there.
  if (packaged === undefined || existsSync(beside)) return beside;
  // Deno without node_modules fetches a package where it is imported by name, and not before.
  await import("uplot/package.json", { with: { type: "json" } });
  return fileURLToPath(import.meta.resolve(packaged));
}
