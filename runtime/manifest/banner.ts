/** `banner` of a manifest, as texts: files are read. */
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { unknownVariables, VARIABLES } from "../core/banner.ts";
import { kindOf } from "../core/endpoint.ts";
import { messageOf } from "../core/errors.ts";
import type { Banner, ListenPlan } from "../core/plan.ts";
import { nearest } from "../values/nearest.ts";
import { type Path, show } from "../values/problem.ts";
import { isInherited } from "./inherited.ts";
import type { CheckedDefaults } from "./schema.ts";
import { folderAt, type Problems } from "./source.ts";

type Block = CheckedDefaults["banner"];
type Part = keyof Banner;
type Said = { readonly text: string | { readonly file: string }; readonly path: Path };

/** Bytes of a banner: a socket that is new has room for as many. */
const BYTES_MAX = 16 * 1024;

/** Whom a banner can be said to. */
const HEARD: Readonly<Record<Part, readonly string[]>> = {
  accept: ["stream"],
  refuse: ["stream", "http"],
};

export class BannerTexts {
  readonly #problems: Problems;

  constructor(problems: Problems) {
    this.#problems = problems;
  }

  /** Of a service: each of its own replaces that of `defaults`, which is for whom it can be said to. */
  read(
    defaults: Block,
    own: Block,
    listen: readonly ListenPlan[],
    path: Path,
  ): Banner | undefined {
    const banner: { -readonly [Name in Part]?: string } = {};
    for (const part of ["accept", "refuse"] as const) {
      const mine = partOf(own, part, [...path, "banner"]);
      const heard = listen.length === 0 ||
        listen.some(({ endpoint }) =>
          isInherited(endpoint) || HEARD[part].includes(kindOf(endpoint.transport))
        );
      if (!heard && mine !== undefined) this.#unheard(part, listen, mine.path);
      const said = mine ?? partOf(defaults, part, ["defaults", "banner"]);
      if (!heard || said === undefined) continue;
      const text = this.#text(said, part);
      if (text !== "") banner[part] = text;
    }
    return Object.keys(banner).length === 0 ? undefined : banner;
  }

  #unheard(part: Part, listen: readonly ListenPlan[], path: Path): void {
    const http = listen.some(({ endpoint }) => kindOf(endpoint.transport) === "http");
    this.#problems.add(
      path,
      `a banner where only ${http ? "HTTP" : "datagrams"} can come`,
      http && part === "accept"
        ? '"refuse" alone: an answer that is served is the app\'s'
        : "a stream: nothing but an answer is sent to whom a datagram seems to come from",
    );
  }

  /** The text, checked; empty where there is none. */
  #text({ text, path }: Said, part: Part): string {
    if (typeof text === "string") return this.#checked(text, part, path, "");
    const place = [...path, "file"];
    try {
      const file = resolve(folderAt(this.#problems.source, path), text.file);
      return this.#checked(readFileSync(file, "utf8"), part, place, ` in ${text.file}`);
    } catch (error) {
      this.#problems.add(
        place,
        show(text.file),
        `a file of text which can be read: ${messageOf(error)}`,
      );
      return "";
    }
  }

  #checked(text: string, part: Part, path: Path, where: string): string {
    if (new TextEncoder().encode(text).length > BYTES_MAX) {
      this.#problems.add(path, `more than ${BYTES_MAX} bytes${where}`, `at most ${BYTES_MAX}`);
      return "";
    }
    const [unknown] = unknownVariables(text, part);
    if (unknown === undefined) return text;
    const known: readonly string[] = VARIABLES[part];
    const meant = nearest(unknown, known);
    this.#problems.add(
      path,
      `\${${unknown}}${where}`,
      `${known.map((name) => `\${${name}}`).join(", ")}; $\${ for the characters themselves`,
      { hint: meant === undefined ? undefined : `did you mean \${${meant}}?` },
    );
    return "";
  }
}

function partOf(block: Block, part: Part, path: Path): Said | undefined {
  if (typeof block === "string") return part === "accept" ? { text: block, path } : undefined;
  const text = block?.[part];
  return text === undefined ? undefined : { text, path: [...path, part] };
}
