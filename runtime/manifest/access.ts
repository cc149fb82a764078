/** `access` of a manifest, as rules: groups are put in, files are read, users and groups are looked up. */
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { FORMS } from "../core/access/ip.ts";
import { parseSubject } from "../core/access/rules.ts";
import { parseTimes } from "../core/access/times.ts";
import { messageOf } from "../core/errors.ts";
import { aboutAccounts, type Access, type AccessRule, type ListenPlan } from "../core/plan.ts";
import { nearest } from "../values/nearest.ts";
import { type Path, show } from "../values/problem.ts";
import { mergeList, type Placed, placed } from "./lists.ts";
import { expectation } from "./listen.ts";
import { type CheckedAccess, SUBJECT } from "./schema.ts";
import { folderAt, type Problems } from "./source.ts";

/** Whose peers the kernel does not name: datagrams, and HTTP, whose connections are the runtime's own. */
const NAMELESS: readonly string[] = ["unixgram", "http+unix"];

/** Tells of rules about users where no peer can be asked who it is. */
export function checkAccounts(
  problems: Problems,
  access: Access,
  listen: readonly ListenPlan[],
  path: Path,
): void {
  const found = listen.find(({ endpoint }) => NAMELESS.includes(endpoint.transport));
  if (found === undefined || !aboutAccounts(access)) return;
  problems.add(
    [...path, "access"],
    `rules about users or groups, and ${show(found.text)}`,
    "unix:PATH of a stream: over other sockets the kernel does not tell who a peer is",
  );
}

/** Looks a user or a group of this machine up; undefined where there is none of that name. */
export type AccountLookup = (kind: "user" | "group", name: string) => number | undefined;

type Item = NonNullable<NonNullable<CheckedAccess>["allow"]>[number];
/** What a rule says beside whom it is about. */
type Terms = Pick<AccessRule, "action" | "times">;

/** Rules in one file at most: each costs memory, about 200 bytes. */
const FILE_MAX = 1_000_000;

/** What would be right: of rules, more than the core can read. */
function due(error: unknown): string {
  const expected = expectation(error);
  return expected === FORMS ? SUBJECT : expected;
}

/** Makes rules of the `access` blocks of one manifest. What is wrong goes to its problems. */
export class AccessPlans {
  readonly #problems: Problems;
  readonly #groups: Readonly<Record<string, readonly string[]>>;
  readonly #lookup: AccountLookup;
  readonly #told = new Set<string>();
  /** What files have said. */
  readonly #files = new Map<string, readonly Pick<AccessRule, "subject" | "text" | "place">[]>();

  /** @param groups named lists of the manifest. */
  constructor(
    problems: Problems,
    groups: Readonly<Record<string, readonly string[]>>,
    lookup: AccountLookup,
  ) {
    this.#problems = problems;
    this.#groups = groups;
    this.#lookup = lookup;
    for (const [name, list] of Object.entries(groups)) {
      for (const [index, text] of list.entries()) this.#subjects(text, ["groups", name, index], []);
    }
  }

  /** The rules of a service: each list of its own replaces that of `defaults`, or adds to it, or takes from it. */
  read(blocks: readonly { readonly access: CheckedAccess; readonly path: Path }[]): Access {
    const rules: AccessRule[] = [];
    let others = true;
    for (const action of ["allow", "deny"] as const) {
      const list = blocks.reduce<readonly Placed<Item>[] | undefined>(
        (before, { access = {}, path }) =>
          mergeList(
            before,
            {
              set: placed(access[action], [...path, action]),
              more: placed(access[`${action}+=`], [...path, `${action}+=`]),
              less: placed(access[`${action}-=`], [...path, `${action}-=`]),
            },
            [...path, action],
            this.#problems,
          ),
        undefined,
      );
      if (list === undefined) continue;
      if (action === "allow") others = false;
      for (const { item, path } of list) rules.push(...this.#rules(item, action, path));
    }
    return { rules, others };
  }

  /** Who is never banned, of all blocks. */
  never(
    blocks: readonly { readonly access: CheckedAccess; readonly path: Path }[],
  ): readonly AccessRule[] {
    return blocks.flatMap(({ access, path }) =>
      (access?.never ?? []).flatMap((text, index) =>
        this.#about(text, { action: "deny" }, [...path, "never", index])
      )
    );
  }

  /** Rules `allow` of a list that stands elsewhere. */
  about(texts: readonly string[], path: Path): readonly AccessRule[] {
    return texts.flatMap((text, index) => this.#about(text, { action: "allow" }, [...path, index]));
  }

  #rules(item: Item, action: AccessRule["action"], path: Path): AccessRule[] {
    if (typeof item === "string") return this.#about(item, { action }, path);
    const { from, times } = item;
    const hours = times === undefined ? undefined : [times].flat();
    for (const [index, text] of (hours ?? []).entries()) {
      const place = Array.isArray(times) ? [...path, "times", index] : [...path, "times"];
      this.#try(() => parseTimes(text), text, place);
    }
    const terms: Terms = { action, ...(hours !== undefined && { times: hours }) };
    if (!Array.isArray(from)) return this.#about(from, terms, [...path, "from"]);
    return from.flatMap((text, index) => this.#about(text, terms, [...path, "from", index]));
  }

  #about(text: string, terms: Terms, path: Path): AccessRule[] {
    return this.#subjects(text, path, []).map((subject) => ({ ...subject, ...terms }));
  }

  /** Whom a text is about. @param within the groups that lead here. */
  #subjects(
    text: string,
    path: Path,
    within: readonly string[],
  ): readonly Pick<AccessRule, "subject" | "text" | "place">[] {
    if (text.startsWith("@")) return this.#group(text.slice(1), path, within);
    if (text.startsWith("file:")) return this.#file(text.slice(5), path);
    const subject = this.#try(() => this.#subject(text), text, path);
    const place = this.#problems.at(path);
    return subject === undefined ? [] : [{ subject, text, ...(place !== undefined && { place }) }];
  }

  #group(
    name: string,
    path: Path,
    within: readonly string[],
  ): readonly Pick<AccessRule, "subject" | "text" | "place">[] {
    const list = Object.hasOwn(this.#groups, name) ? this.#groups[name]! : undefined;
    if (list === undefined || within.includes(name)) {
      const known = Object.keys(this.#groups);
      const expected = list !== undefined
        ? `a group that does not hold itself: ${[...within, name].join(" → ")}`
        : known.length === 0
        ? 'a name of "groups": { "office": ["10.1.0.0/16"] } of the manifest, which has none'
        : `a name of "groups": ${known.join(", ")}`;
      const meant = list === undefined ? nearest(name, known) : undefined;
      const hint = meant === undefined ? undefined : `did you mean "@${meant}"?`;
      this.#tell(path, show(`@${name}`), expected, hint);
      return [];
    }
    return list.flatMap((text, index) =>
      // What is wrong in a group is told once, where it stands.
      this.#subjects(text, ["groups", name, index], [...within, name]).map((subject) => ({
        ...subject,
        text: `@${name} ${subject.text}`,
      }))
    );
  }

  /** One subject a line; what follows a `#` is a comment. */
  #file(
    name: string,
    path: Path,
  ): readonly Pick<AccessRule, "subject" | "text" | "place">[] {
    const file = resolve(folderAt(this.#problems.source, path), name);
    const known = this.#files.get(file);
    if (known !== undefined) return known;
    const rules: Pick<AccessRule, "subject" | "text" | "place">[] = [];
    this.#files.set(file, rules);
    let content: string;
    try {
      content = readFileSync(file, "utf8");
    } catch (error) {
      const expected = `a file of rules, one a line, which can be read: ${messageOf(error)}`;
      this.#tell(path, show(`file:${name}`), expected);
      return rules;
    }
    const lines = content.split("\n");
    for (const [index, line] of lines.entries()) {
      const text = line.replace(/#.*/, "").trim();
      if (text === "") continue;
      const place = `${name}:${index + 1}`;
      if (rules.length === FILE_MAX) {
        this.#tell(path, `more than ${FILE_MAX} rules in ${name}`, `at most ${FILE_MAX}`);
        return rules;
      }
      try {
        rules.push({ subject: this.#subject(text), text, place });
      } catch (error) {
        this.#tell(path, `${show(text)} at ${place}`, due(error));
        return rules;
      }
    }
    return rules;
  }

  /** With names of accounts looked up. @throws SyntaxError */
  #subject(text: string): string {
    const [, kind, name] = /^(user|group):(.*)$/.exec(text) ?? [];
    if (kind === undefined) {
      parseSubject(text);
      return text;
    }
    const id = this.#lookup(kind as "user" | "group", name!);
    if (id === undefined) {
      throw new SyntaxError(
        `a ${kind} that this machine knows, or its number as ${
          kind === "user" ? "uid" : "gid"
        }:1000`,
      );
    }
    return `${kind === "user" ? "uid" : "gid"}:${id}`;
  }

  /** A group is looked through where it is used, too: what is wrong there is told once. */
  #tell(path: Path, received: string, expected: string, hint?: string): void {
    const key = path.join("\0");
    if (this.#told.has(key)) return;
    this.#told.add(key);
    this.#problems.add(path, received, expected, { hint });
  }

  #try<Value>(read: () => Value, text: string, path: Path): Value | undefined {
    try {
      return read();
    } catch (error) {
      this.#tell(path, show(text), due(error));
      return undefined;
    }
  }
}
