/** JSON with comments and trailing commas, as values that know where they stand. Small, since each start reads it. */

/** A value of a text. */
export interface Node {
  /** Where it begins. */
  readonly offset: number;
  readonly value: unknown;
  /** What is in an object or a list, by key or index. Of a key that stands twice, the first. */
  readonly inner?: ReadonlyMap<string | number, Node>;
  /** Where its key begins, of what is in an object. */
  readonly key?: number;
}

/** What is wrong with a text. */
export class JsonFault extends Error {
  readonly offset: number;
  /** Of the token that is meant; 0 at the end of the text. */
  readonly length: number;

  /** @param expected what would be right in its place. */
  constructor(expected: string, offset: number, length: number) {
    super(expected);
    this.offset = offset;
    this.length = length;
  }
}

/** Told of each key when its value has been read: `node` is that, `earlier` what the same key had before. */
export type OnKey = (key: string, node: Node, earlier: Node | undefined, path: Path) => void;
type Path = readonly (string | number)[];

const SPACE = /[ \t\r\n]*/y;
const LINE_END = /[\r\n]|$/g;
/** What a text may stop at: its end, an escape, the end of the line. */
const STOP = /["\\\r\n]|$/g;
/** A bracket, a number, a word, or what is none of these. */
const TOKEN =
  /[{}[\]:,]|-?(?:0|[1-9]\d*)(?:\.(?:\d+(?:[eE][+-]?\d*)?)?|[eE][+-]?\d*)?|[/-]|[^ \t\r\n{}[\]":,/]+/y;
const WORDS: ReadonlyMap<string, unknown> = new Map<string, unknown>([
  ["true", true],
  ["false", false],
  ["null", null],
]);

const VALUE = "a value: text in double quotes, a number, true, false, null, { or [";

/** Reads one text. */
export class JsonText {
  readonly #text: string;
  readonly #most: number;
  readonly #deep: string;
  readonly #onKey: OnKey;
  readonly #path: (string | number)[] = [];
  /** The token that is next, and where it begins; empty at the end. */
  #token = "";
  #offset = 0;
  /** What the token says, if that is a text, a number or a word. */
  #value: unknown = undefined;

  /** @param most levels of objects and lists; `deep` is what a fault says beyond them. */
  constructor(text: string, most: number, deep: string, onKey: OnKey) {
    this.#text = text;
    this.#most = most;
    this.#deep = deep;
    this.#onKey = onKey;
  }

  /** @throws JsonFault for what is wrong first. */
  read(): Node {
    this.#next(0);
    const node = this.#node();
    if (this.#token !== "") this.#fail("nothing after the manifest's closing }");
    return node;
  }

  #fail(expected: string): never {
    throw new JsonFault(expected, this.#offset, this.#token.length);
  }

  #next(from: number = this.#offset + this.#token.length): void {
    const text = this.#text;
    const start = this.#offset = this.#afterSpace(from);
    if (text[start] === '"') {
      const end = endOfText(text, start + 1);
      const closed = text[end] === '"';
      this.#token = text.slice(start, closed ? end + 1 : end);
      this.#value = closed ? this.#string(this.#token) : this.#fail('a closing " on the same line');
      return;
    }
    TOKEN.lastIndex = start;
    this.#token = TOKEN.exec(text)?.[0] ?? "";
    if (this.#token !== "" && !"{}[]:,".includes(this.#token)) this.#value = this.#word();
  }

  /** Where spaces and comments end that begin at an offset. */
  #afterSpace(from: number): number {
    const text = this.#text;
    for (let at = from;;) {
      SPACE.lastIndex = at;
      SPACE.test(text);
      at = SPACE.lastIndex;
      if (text.startsWith("//", at)) at = found(LINE_END, text, at);
      else if (text.startsWith("/*", at)) {
        const end = text.indexOf("*/", at + 2);
        if (end === -1) throw new JsonFault("*/ at the end of the comment", at, text.length - at);
        at = end + 2;
      } else return at;
    }
  }

  #word(): unknown {
    const token = this.#token;
    if (!/^-?\d/.test(token)) return WORDS.has(token) ? WORDS.get(token) : this.#fail(VALUE);
    if (/\d$/.test(token)) return Number(token);
    this.#fail("digits after the sign, the point or the exponent");
  }

  #string(token: string): string {
    try {
      return JSON.parse(token);
    } catch {
      // deno-lint-ignore no-control-regex -- these are what is looked for
      const parts = token.matchAll(/\\u[\dA-Fa-f]{4}|\\["\\/bfnrt]|(\\u)|(\\)[^]|[\u0000-\u001f]/g);
      let wrong = "";
      // The last of several is told.
      for (const [part, unicode, escape] of parts) {
        if (unicode !== undefined) wrong = "four hexadecimal digits after \\u";
        else if (escape !== undefined) wrong = 'one of \\" \\\\ \\/ \\b \\f \\n \\r \\t \\uXXXX';
        else if (part.length === 1) wrong = "no control characters: write \\t, \\n or \\uXXXX";
      }
      this.#fail(wrong);
    }
  }

  #node(key?: number): Node {
    const at = { offset: this.#offset, ...(key !== undefined && { key }) };
    const token = this.#token;
    if (token === "{" || token === "[") {
      if (this.#path.length === this.#most) this.#fail(this.#deep);
      return token === "{" ? this.#object(at) : this.#list(at);
    }
    if (token === "" || "}]:,".includes(token)) this.#fail(VALUE);
    const node = { ...at, value: this.#value };
    this.#next();
    return node;
  }

  #object(at: Pick<Node, "offset" | "key">): Node {
    const value: Record<string, unknown> = {};
    const inner = new Map<string, Node>();
    this.#each("}", "a closing }", () => {
      if (this.#token[0] !== '"') this.#fail("a key in double quotes");
      const key = this.#value as string;
      const offset = this.#offset;
      this.#next();
      if (this.#token !== ":") this.#fail("a colon after the key");
      this.#next();
      this.#path.push(key);
      const node = this.#node(offset);
      const earlier = inner.get(key);
      this.#onKey(key, node, earlier, this.#path);
      this.#path.pop();
      if (earlier !== undefined || key === "__proto__") return;
      inner.set(key, node);
      value[key] = node.value;
    });
    return { ...at, value, inner };
  }

  #list(at: Pick<Node, "offset" | "key">): Node {
    const value: unknown[] = [];
    const inner = new Map<number, Node>();
    this.#each("]", "a closing ]", () => {
      this.#path.push(value.length);
      const node = this.#node();
      this.#path.pop();
      inner.set(value.length, node);
      value.push(node.value);
    });
    return { ...at, value, inner };
  }

  /** What stands between two brackets, with a comma after each, which the last may have, too. */
  #each(close: string, closing: string, one: () => void): void {
    this.#next();
    for (let count = 0; this.#token !== close && this.#token !== ""; count++) {
      if (count > 0) {
        if (this.#token !== ",") this.#fail("a comma between two entries");
        this.#next();
        if (this.#token === close) break;
      } else if (this.#token === ",") this.#fail(VALUE);
      one();
    }
    if (this.#token !== close) this.#fail(closing);
    this.#next();
  }
}

/** Where the quote stands that ends a text; where there is none, where the text has to end. */
function endOfText(text: string, start: number): number {
  let at = found(STOP, text, start);
  while (text[at] === "\\") at = found(STOP, text, Math.min(at + 2, text.length));
  return at;
}

/** Where a pattern is found from an offset on; it finds the end, too. */
function found(pattern: RegExp, text: string, from: number): number {
  pattern.lastIndex = from;
  return pattern.exec(text)!.index;
}
