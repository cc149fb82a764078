/** Manifests in pages, and parts of them. */
import { join } from "node:path";
import process from "node:process";
import { parse, type ParseError } from "jsonc-parser";
import { expand } from "../../../runtime/manifest/expand.ts";
import { load } from "../../../runtime/manifest/load.ts";
import { prepare } from "../../../runtime/manifest/prepare.ts";
import { manifest, service } from "../../../runtime/manifest/schema.ts";
import { sinkCatalog } from "../../../runtime/sinks/mod.ts";
import { writeFileSync } from "node:fs";
import type { Block } from "./blocks.ts";

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Every variable is set, for manifests that name some. */
const variables = new Proxy({ ...process.env }, {
  get: (all, name) => all[String(name)] ?? "0123456789abcdef",
});

/**
 * What a page shows of a manifest, made a whole one; undefined for JSON of another kind.
 *
 * @param rest more keys of the manifest, which the page does not show.
 */
export function wholeManifest(code: string, rest = ""): string | undefined {
  const text = /^\s*(?:\/\/[^\n]*\n\s*)*[{[]/.test(code) ? code : `{${code}\n}`;
  const errors: ParseError[] = [];
  const value: unknown = parse(text, errors, { allowTrailingComma: true });
  if (errors.length > 0) {
    // Records, one on each line.
    for (const line of code.trim().split("\n")) JSON.parse(line);
    return undefined;
  }
  if (!isObject(value)) return undefined;
  if ("services" in value) return text;
  const hidden = parse(`{${rest}}`) as object;
  const keys = Object.keys(value);
  const all = (names: object): boolean => keys.length > 0 && keys.every((key) => key in names);
  const echo = { plugin: "echo", listen: "tcp://127.0.0.1:0" };
  if (
    keys.length > 0 && Object.values(value).every((entry) => isObject(entry) && "plugin" in entry)
  ) {
    return JSON.stringify({ ...hidden, services: value });
  }
  if (all(service.entries)) {
    return JSON.stringify({ ...hidden, services: { part: { ...echo, ...value } } });
  }
  if (all(manifest.entries)) {
    return JSON.stringify({ ...hidden, ...value, services: { part: echo } });
  }
  return undefined;
}

/**
 * Checks what a block of JSON in a page says, as `portico check` does, but for what this machine has.
 *
 * @param folder what paths are relative to.
 * @throws what is wrong with it.
 */
export async function checkManifest({ code, marks, line }: Block, folder: string): Promise<void> {
  if ("file" in marks && !/^portico\.jsonc?$/.test(marks.file!.split("/").at(-1)!)) {
    return void parse(code);
  }
  const text = wholeManifest(code, marks.hidden);
  if (text === undefined) return;
  const file = join(folder, marks.file ?? `line-${line}.jsonc`);
  writeFileSync(file, text);
  const source = await load(file, variables);
  const plan = expand(source, sinkCatalog);
  if (!("plugins elsewhere" in marks)) await prepare(plan, source, sinkCatalog);
}
