import { resolve } from "node:path";
import type { BaseIssue } from "valibot";
import type { SinkPlan } from "../core/plan.ts";
import { addIssues, placeOf } from "./issues.ts";
import { didYouMean } from "../values/nearest.ts";
import { partSink, POLICIES } from "./policies.ts";
import { type Path, show } from "../values/problem.ts";
import type { SinkCatalog } from "../values/sink-catalog.ts";
import { nameOfObject, objectAt } from "../modules/object.ts";
import { BUILT_IN, resolvePlugin } from "../modules/resolve.ts";
import type { CheckedSink } from "./schema.ts";
import { fileAt, folderAt, type Problems } from "./source.ts";
import { checkTyped } from "./typed.ts";

/** The types that write to standard output when nothing else is said. */
const STANDARD: readonly string[] = ["console", "json"];

/** Stands for a sink that is wrong: the problem that was told keeps the plan from being used. */
const nothing = (name: string): SinkPlan => ({ name, type: "none", level: "info", options: {} });

/** The keys that every reference may have. */
const KEYS = Object.keys(POLICIES);

/** To the keys that a type knows, those that every reference may have. */
function widened(issue: BaseIssue<unknown>): BaseIssue<unknown> {
  const unknownKey = issue.type === "strict_object" && issue.expected === "never";
  if (!unknownKey || issue.path?.length !== 1) return issue;
  const own = issue.message === "" ? [] : [issue.message];
  return { ...issue, message: [...own, ...KEYS].join(", ") };
}

/** Where the options of sinks of plugins stand, which are checked later. */
const PATHS: WeakMap<SinkPlan, Path> = new WeakMap();

/** Where a manifest says what a sink of a plugin is. */
export function pathOf(plan: SinkPlan): Path {
  return PATHS.get(plan) ?? ["sinks"];
}

/** Reads the sinks that a manifest declares, and those that its services use. */
export class SinkPlans {
  readonly #problems: Problems;
  readonly #catalog: SinkCatalog;
  /** The names of the types that come along. */
  readonly #types: readonly string[];
  readonly #plugins: Readonly<Record<string, string>>;
  readonly #declared = new Map<string, SinkPlan>();
  readonly #stdio: boolean;
  /** Log files, by path: what the first one that names it says. */
  readonly #files = new Map<string, string>();

  /**
   * @param catalog the types of sinks.
   * @param sinks the manifest's `sinks`; undefined in the place of one that the schema has refused.
   * @param plugins the manifest's `plugins`.
   * @param stdio an endpoint is `stdio:`: standard output is a peer, and nothing for records.
   */
  constructor(
    problems: Problems,
    catalog: SinkCatalog,
    sinks: Readonly<Record<string, CheckedSink | undefined>>,
    plugins: Readonly<Record<string, string>>,
    stdio: boolean,
  ) {
    this.#problems = problems;
    this.#catalog = catalog;
    this.#types = Object.keys(catalog.schemas);
    this.#plugins = plugins;
    this.#stdio = stdio;
    for (const [name, sink] of Object.entries(sinks)) {
      const plan = sink === undefined ? nothing(name) : this.#inline(name, sink, ["sinks", name]);
      this.#declared.set(name, plan);
    }
  }

  /** One of a `log`. @param path where it stands. */
  one(item: string | CheckedSink, path: Path): SinkPlan {
    return typeof item === "string" ? this.#named(item, path) : this.#used(item, path);
  }

  #named(name: string, path: Path): SinkPlan {
    const declared = this.#declared.get(name);
    if (declared !== undefined) return declared;
    const known = this.#types.includes(name) || this.#moduleOf(name, path) !== undefined;
    if (known) return this.#inline(name, { type: name }, path, path);
    this.#unknown(name, `a sink: ${this.#types.join(", ")}`, path);
    return nothing(name);
  }

  /** One that is declared, with other policies; or one of its own. */
  #used(sink: CheckedSink, path: Path): SinkPlan {
    const { type } = sink;
    const declared = this.#declared.get(type);
    if (declared === undefined) return this.#inline(type, sink, path);
    const { policies, options } = partSink(sink);
    const own = Object.keys(options);
    // A name may be the one of a type, too: options are the type's.
    if (own.length > 0 && this.#types.includes(type)) return this.#inline(type, sink, path);
    for (const key of own) {
      this.#problems.add(
        [...path, key],
        `the unknown key ${show(key)}`,
        `only ${KEYS.join(", ")}: the sink ${show(type)} is declared, with its options`,
        { part: "key", hint: didYouMean(key, KEYS) },
      );
    }
    return this.#keep({ ...declared, ...policies }, pathOf(declared));
  }

  #inline(
    name: string,
    { type, ...given }: CheckedSink,
    path: Path,
    typePath: Path = [...path, "type"],
  ): SinkPlan {
    const { policies: { level = "info", ...policies }, options } = partSink(given);
    const url = this.#types.includes(type) ? undefined : this.#moduleOf(type, path);
    if (url !== undefined) {
      const module = { url, folder: folderAt(this.#problems.source, path) };
      const object = objectAt(url);
      const own = object === undefined ? type : nameOfObject(object) ?? "sink";
      const said = { name: name === type ? own : name, type: own };
      return this.#keep({ ...said, module, level, ...policies, options }, path);
    }
    if (!this.#types.includes(type)) {
      this.#unknown(type, `a type of sink: ${this.#types.join(", ")}`, typePath);
      return nothing(name);
    }
    const absolute = (inner: string): string =>
      resolve(folderAt(this.#problems.source, path), inner);
    const { result: check } = checkTyped(
      this.#problems.source,
      path,
      options,
      (value) => this.#catalog.check({ type, options: value as typeof options }, absolute),
      (result) => "issues" in result ? result.issues.map(placeOf) : [],
    );
    if ("issues" in check) {
      addIssues(this.#problems, check.issues.map(widened), path);
      return nothing(name);
    }
    const plan = { name, type, level, ...policies, options: check.options };
    if (type === "file") this.#checkFile(plan, path);
    const placed = this.#stdio && STANDARD.includes(type) ? this.#aside(plan, path) : plan;
    return this.#keep(placed, path);
  }

  #keep(plan: SinkPlan, path: Path): SinkPlan {
    PATHS.set(plan, path);
    return plan;
  }

  #unknown(name: string, types: string, path: Path): void {
    const found = resolvePlugin(name, this.#plugins, this.#file(name, path));
    // What is meant is plain: a module.
    if ("received" in found && (/^\.{0,2}\//.test(name) || Object.hasOwn(this.#plugins, name))) {
      return this.#problems.add(path, found.received, found.expected, { hint: found.hint });
    }
    const names = [...this.#declared.keys()];
    const shorts = Object.keys(this.#plugins);
    const list = names.length === 0 ? " (it has none)" : `: ${names.join(", ")}`;
    this.#problems.add(
      path,
      show(name),
      `${types}, or a name of "sinks"${list}`,
      { hint: didYouMean(name, [...this.#types, ...names, ...shorts]) },
    );
  }

  /** The module of a plugin that provides a type of sink; undefined where there is none of this name. */
  #moduleOf(type: string, path: Path): string | undefined {
    if (BUILT_IN.includes(type) && !Object.hasOwn(this.#plugins, type)) return undefined;
    const found = resolvePlugin(type, this.#plugins, this.#file(type, path));
    return "url" in found ? found.url : undefined;
  }

  /** Two writers of one file would rotate it away from each other. */
  #checkFile({ options }: SinkPlan, path: Path): void {
    const file = String(options["path"]);
    const print = JSON.stringify(options);
    const other = this.#files.get(file) ?? print;
    this.#files.set(file, other);
    if (other === print) return;
    this.#problems.add(
      [...path, "path"],
      `${show(file)}, which another sink writes with other options`,
      'the same options, or a file of its own; declare it in "sinks" and name it where it is used',
    );
  }

  /** A sink of a standard stream, on the one that is not the peer's. */
  #aside(plan: SinkPlan, path: Path): SinkPlan {
    if (plan.options["stream"] === "stdout") {
      this.#problems.add(
        [...path, "stream"],
        '"stdout", and an endpoint is stdio:',
        '"stderr": standard output is the peer there',
      );
    }
    return { ...plan, options: { ...plan.options, stream: "stderr" } };
  }

  /** Where its path starts: that of a short name is the manifest's. */
  #file(name: string, path: Path): string {
    const { source } = this.#problems;
    return Object.hasOwn(this.#plugins, name) ? source.file : fileAt(source, path);
  }
}
