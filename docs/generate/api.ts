/** The plugin API, from the declarations that `runtime/mod.ts` exports and their doc comments. */
import { readFileSync } from "node:fs";
import { posix } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../..", import.meta.url).href);

interface Declaration {
  readonly name: string;
  readonly doc: string;
  /** Up to its body, in one line. */
  readonly head: string;
  /** Between its braces, of an interface or a class. */
  readonly body: string | undefined;
}

/** What a module exports: what it declares itself, then what it has from others, in its order. */
function exportsOf(module: string): { readonly name: string; readonly file: string }[] {
  const text = readFileSync(`${ROOT}${module}`, "utf8");
  const found = text.matchAll(/^export (?:type )?\{([^}]+)\} from "([^"]+)";/gm);
  const own = text.matchAll(
    /^export (?:async )?(?:interface|class|function|type|const) (\w+)/gm,
  );
  const theirs = [...found].flatMap(([, names, from]) =>
    names!.split(",").map((name) => name.trim().replace(/^type /, ""))
      .filter((name) => name !== "")
      .map((name) => ({ name, file: posix.join(posix.dirname(module), from!) }))
  );
  // Overloads have one name.
  const names = new Set([...own].map(([, name]) => name!));
  return [...[...names].map((name) => ({ name, file: module })), ...theirs];
}

/** A doc comment without its asterisks; links lead to what the page has. */
function prose(comment: string): string {
  return comment.replace(/^\/\*\*|\*\/$/g, "").replace(/^ *\* ?/gm, "").trim();
}

/** The end of what is in braces, brackets or angles from `start` on. */
function endOf(text: string, start: number): number {
  let depth = 0;
  for (let at = start; at < text.length; at++) {
    if (text[at] === "{") depth++;
    else if (text[at] === "}" && --depth === 0) return at;
  }
  return text.length;
}

function declaration(name: string, file: string): Declaration {
  const text = readFileSync(`${ROOT}${file}`, "utf8");
  const pattern =
    `((?:/\\*\\*(?:(?!\\*/)[^])*\\*/\\s*)?)export (?:async )?(interface|class|function|type|const) ${name}\\b`;
  const found = new RegExp(pattern).exec(text);
  if (found === null) {
    const again = new RegExp(`^export type \\{[^}]*\\b${name}\\b[^}]*\\} from "([^"]+)"`, "m").exec(
      text,
    );
    if (again === null) throw new Error(`${file} does not export ${name}`);
    return declaration(name, posix.join(posix.dirname(file), again[1]!));
  }
  const [whole, comment, kind] = found;
  const start = found.index + comment!.length;
  const doc = prose(comment!.trim());
  const line = (upTo: number): string =>
    text.slice(start, upTo).replace(/^export /, "").replace(/\s+/g, " ").replace(/, \)/g, ")")
      .replace(/\( /g, "(").trim();
  if (kind === "interface" || kind === "class") {
    const brace = text.indexOf("{\n", found.index + whole!.length);
    return { name, doc, head: line(brace), body: text.slice(brace + 1, endOf(text, brace)) };
  }
  if (kind === "function") {
    return { name, doc, head: line(text.indexOf(" {\n", start)), body: undefined };
  }
  const end = kind === "const" && name === "CODES"
    ? text.indexOf(" = ", start)
    : text.indexOf(";\n", start);
  return { name, doc, head: line(end), body: undefined };
}

/** The members of an interface, or the public ones of a class: signature and doc comment. */
function members(body: string): { readonly signature: string; readonly doc: string }[] {
  const found: { signature: string; doc: string }[] = [];
  let at = 0;
  const skip = (): void => void (at += /^\s*/.exec(body.slice(at))![0].length);
  for (skip(); at < body.length; skip()) {
    const comment = /^\/\*\*(?:(?!\*\/)[^])*\*\/\s*/.exec(body.slice(at))?.[0] ?? "";
    at += comment.length;
    const start = at;
    let depth = 0;
    let code: number | undefined;
    for (; at < body.length; at++) {
      const sign = body[at]!;
      // The body of a method begins behind its type.
      if (
        sign === "{" && depth === 0 && body.slice(at, at + 2) === "{\n" &&
        /[\w>)\]] $/.test(body.slice(start, at))
      ) {
        code = at;
        at = endOf(body, at) + 1;
        break;
      }
      if ("{([".includes(sign)) depth++;
      else if ("})]".includes(sign)) depth--;
      else if (sign === ";" && depth === 0) break;
    }
    const signature = body.slice(start, code ?? at).replace(/\s+/g, " ").replace(/,? \)/g, ")")
      .replace(/\( /g, "(").replace(/^readonly |^override readonly /, "").trim();
    if (body[at] === ";") at++;
    if (!/^[#/]|^private|^static readonly #/.test(signature) && signature !== "") {
      found.push({ signature, doc: prose(comment.trim()) });
    }
  }
  return found;
}

const GROUPS: readonly (readonly [string, RegExp])[] = [
  [
    "Plugins",
    /^(?:definePlugin|defineHooks|Plugin|Hooks|StartContext|API|ConnectOptions|ListenOptions|Listening|StandardSchema|Child|Program|Spawn)$/,
  ],
  [
    "Sessions",
    /^(?:Session|Peer|RequestInfo|RequestSession|Closed|ReadOptions|Logger|pipe|PipeOptions|Address)$/,
  ],
  [
    "Framing",
    /^(?:delimited|fixed|lengthPrefixed|lines|Codec|TwoWayCodec|Found|Frame|Parsed|Framer)$/,
  ],
  [
    "Sinks and records",
    /^(?:defineSink|Sink|SinkContext|SinkDefinition|LogRecord|Fields|Level|EventName|memoryRecords|clearMemory)$/,
  ],
  ["Errors", /^(?:PorticoError|CODES|Code|Side)$/],
];

/** A page of all that a module exports. */
export function apiPage(module: string, title: string, intro: string): string {
  const all = exportsOf(module).map(({ name, file }) => declaration(name, file));
  const known = new Set(all.map(({ name }) => name));
  const linked = (doc: string): string =>
    doc.replace(/\{@link ([\w.]+)\}/g, (_, target: string) => {
      const [name] = target.split(".");
      return known.has(name!) ? `[\`${target}\`](#${name!.toLowerCase()})` : `\`${target}\``;
    })
      .replace(/^ *@(\w+)/gm, "\n_$1_")
      .replace(/^ *```ts$/gm, "<!-- not checked: an excerpt -->\n\n```ts");
  const groupOf = (name: string): string =>
    GROUPS.find(([, names]) => names.test(name))?.[0] ?? "More";
  const parts = [...GROUPS.map(([group]) => group), "More"].flatMap((group) => {
    const inside = all.filter(({ name }) => groupOf(name) === group);
    return inside.length === 0 ? [] : [`## ${group}`, ...inside.map(section)];
  });
  function section({ name, doc, head, body }: Declaration): string {
    const text = [
      `### ${name}`,
      `<!-- not checked: a signature -->\n\n\`\`\`ts\n${head}\n\`\`\``,
      linked(doc),
    ];
    for (const member of body === undefined ? [] : members(body)) {
      const label = /^(?:\[[\w.]+\]|"[^"]+"|[\w$]+)/.exec(member.signature)?.[0] ??
        member.signature;
      text.push(
        `#### ${name}.${label.replace(/[[\]"]/g, "")}`,
        `\`${member.signature}\``,
        linked(member.doc),
      );
    }
    return text.filter((part) => part !== "").join("\n\n");
  }
  return [`# ${title}`, intro, ...parts].join("\n\n");
}
