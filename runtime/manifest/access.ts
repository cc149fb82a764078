/** `access` of a manifest, as rules: groups are put in, files are read, users and groups are looked up. */
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { FORMS } from "../core/access/ip.ts";
import { parseSubject } from "../core/access/rules.ts";
import { parseTimes } from "../core/access/times.ts";
import { parseCertificate } from "../core/handshake/certificates.ts";
import { messageOf } from "../core/errors.ts";
import { aboutAccounts, type Access, type AccessRule, type ListenPlan } from "../core/plan.ts";
import { nearest } from "../values/nearest.ts";
import { type Path, show } from "../values/problem.ts";
import { SUBJECT } from "./access-schema.ts";
import { readHostName } from "./host-name.ts";
import { expectation } from "./listen.ts";
import { mergeList, type Placed, placed } from "./lists.ts";
import { readRuleLine } from "./rule-line.ts";
import type { CheckedAccess } from "./schema.ts";
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
type Terms = Pick<AccessRule, "action" | "times" | "end" | "options">;
/** Whom a rule is about, and what its line says beside that. */
type Found = Pick<AccessRule, "subject" | "text" | "place" | "options">;

/** Hosts of one manifest that are known by name, at most: each is asked for anew when its TTL ends. */
const HOSTS_MAX = 4096;

/** Rules in one file at most: each costs memory, about 200 bytes. */
const FILE_MAX = 1_000_000;

/** What would be right: of rules, more than the core can read. */
function due(error: unknown): string {
  const expected = expectation(error);
  return expected === FORMS ? SUBJECT : expected;
}

const UNCERTIFIED = "an address, a prefix or a range: nobody has shown a certificate yet";
const UNNAMED = "an address, a prefix or a range: a ban waits for no name";
const OF_ALLOW = "options with an allow: nobody learns them of whom is denied";

/** Makes rules of the `access` blocks of one manifest. What is wrong goes to its problems. */
export class AccessPlans {
  readonly #problems: Problems;
  readonly #groups: Readonly<Record<string, readonly string[]>>;
  readonly #lookup: AccountLookup;
  readonly #told = new Set<string>();
  readonly #hosts = new Set<string>();
  /** What files have said. */
  readonly #files = new Map<string, readonly Found[]>();

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

  /** The files of rules that were named so far, absolute. */
  get files(): string[] {
    return [...this.#files.keys()];
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
      (access?.never ?? []).flatMap((text, index) => {
        const place = [...path, "never", index];
        const rules = this.#about(text, { action: "deny" }, place);
        const name = rules.find(({ subject }) => /^(?:host|domain|cert):/.test(subject));
        if (name !== undefined) this.#tell(place, show(name.text), UNNAMED);
        return rules;
      })
    );
  }

  /** Rules `allow` of a list that stands elsewhere. */
  about(texts: readonly string[], path: Path): readonly AccessRule[] {
    return texts.flatMap((text, index) => {
      const place = [...path, index];
      const rules = this.#about(text, { action: "allow" }, place);
      const late = rules.find(({ subject }) => subject.startsWith("cert:"));
      if (late !== undefined) this.#tell(place, show(late.text), UNCERTIFIED);
      return rules;
    });
  }

  #rules(item: Item, action: AccessRule["action"], path: Path): AccessRule[] {
    if (typeof item === "string") return this.#about(item, { action }, path);
    const { from, times, end, options } = item;
    if (end === true && times === undefined) {
      this.#tell([...path, "end"], "true", '"times" beside it, with whose end sessions end');
    }
    if (options !== undefined && action === "deny") {
      this.#tell([...path, "options"], show(options), OF_ALLOW);
    }
    const hours = times === undefined ? undefined : [times].flat();
    for (const [index, text] of (hours ?? []).entries()) {
      const place = Array.isArray(times) ? [...path, "times", index] : [...path, "times"];
      this.#try(() => parseTimes(text), text, place);
    }
    const terms: Terms = {
      action,
      ...(hours !== undefined && { times: hours }),
      ...(end === true && { end }),
      ...(options !== undefined && { options }),
    };
    if (!Array.isArray(from)) return this.#about(from, terms, [...path, "from"]);
    return from.flatMap((text, index) => this.#about(text, terms, [...path, "from", index]));
  }

  #about(text: string, terms: Terms, path: Path): AccessRule[] {
    const found = this.#subjects(text, path, []);
    const line = found.find(({ options }) => options !== undefined);
    if (line !== undefined && terms.action === "deny") {
      this.#tell(path, `options of ${show(line.text)} at ${line.place}`, OF_ALLOW);
    }
    return found.map((subject) =>
      subject.options === undefined || terms.options === undefined
        ? { ...subject, ...terms }
        : { ...subject, ...terms, options: { ...terms.options, ...subject.options } }
    );
  }

  /** Whom a text is about. @param within the groups that lead here. */
  #subjects(
    text: string,
    path: Path,
    within: readonly string[],
  ): readonly Found[] {
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
  ): readonly Found[] {
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

  /** One rule a line, see `rule-line.ts`. */
  #file(
    name: string,
    path: Path,
  ): readonly Found[] {
    const file = resolve(folderAt(this.#problems.source, path), name);
    const known = this.#files.get(file);
    if (known !== undefined) return known;
    const rules: Found[] = [];
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
      const place = `${name}:${index + 1}`;
      if (rules.length === FILE_MAX) {
        this.#tell(path, `more than ${FILE_MAX} rules in ${name}`, `at most ${FILE_MAX}`);
        return rules;
      }
      try {
        const read = readRuleLine(line);
        if (read === undefined) continue;
        const { subject: text, options } = read;
        rules.push({ subject: this.#subject(text), text, place, ...(options && { options }) });
      } catch (error) {
        this.#tell(path, `${show(line.replace(/#.*/, "").trim())} at ${place}`, due(error));
        return rules;
      }
    }
    return rules;
  }

  /** With names of accounts looked up. @throws SyntaxError */
  #subject(text: string): string {
    const [, kind, name] = /^(user|group):(.*)$/.exec(text) ?? [];
    if (kind === undefined) {
      if (text.startsWith("cert:")) {
        parseCertificate(text.slice("cert:".length));
        return text;
      }
      const host = readHostName(text);
      if (host !== undefined) return this.#host(text, host);
      // What stands for names inside is no way to write one.
      parseSubject(/^(?:host|domain):/.test(text) ? "" : text);
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

  /** @throws SyntaxError for the name of a group, whose @ is missing; and when there are too many. */
  #host(text: string, host: string): string {
    if (Object.hasOwn(this.#groups, text)) throw new SyntaxError(`"@${text}" for the group`);
    this.#hosts.add(host);
    if (this.#hosts.size <= HOSTS_MAX) return host;
    throw new SyntaxError(`at most ${HOSTS_MAX} names of hosts and domains in a manifest`);
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
