import { dirname, resolve } from "node:path";
import type { SinkPlan } from "../core/plan.ts";
import { checkSink, knownTypes, sinkTypes } from "../sinks/mod.ts";
import { addIssues } from "./issues.ts";
import { didYouMean } from "./nearest.ts";
import { type Path, show } from "./problem.ts";
import type { CheckedService, CheckedSink } from "./schema.ts";
import type { Report } from "./source.ts";

/** The types that write to standard output when nothing else is said. */
const STANDARD: readonly string[] = ["console", "json"];

/** In the place of a sink that is wrong: the report keeps the plan from being used. */
const nothing = (name: string): SinkPlan => ({ name, type: "none", level: "info", options: {} });

/** Reads the sinks that a manifest declares, and those that its services use. */
export class Outlets {
  readonly #report: Report;
  readonly #declared = new Map<string, SinkPlan>();
  readonly #stdio: boolean;

  /**
   * @param sinks the manifest's `sinks`; undefined in the place of one that the schema has refused.
   * @param stdio an endpoint is `stdio:`: standard output is a peer, and nothing for records.
   */
  constructor(
    report: Report,
    sinks: Readonly<Record<string, CheckedSink | undefined>>,
    stdio: boolean,
  ) {
    this.#report = report;
    this.#stdio = stdio;
    for (const [name, sink] of Object.entries(sinks)) {
      const plan = sink === undefined ? nothing(name) : this.#inline(name, sink, ["sinks", name]);
      this.#declared.set(name, plan);
    }
  }

  /** @param path of the `log`. */
  read(log: NonNullable<CheckedService["log"]>, path: Path): SinkPlan[] {
    const items = Array.isArray(log) ? log : [log];
    return items.map((item, index) => {
      const place = Array.isArray(log) ? [...path, index] : path;
      return typeof item === "string"
        ? this.#named(item, place)
        : this.#inline(item.type, item, place);
    });
  }

  #named(name: string, path: Path): SinkPlan {
    const declared = this.#declared.get(name);
    if (declared !== undefined) return declared;
    if (knownTypes.includes(name)) return this.#inline(name, { type: name }, path, path);
    const names = [...this.#declared.keys()];
    const list = names.length === 0 ? " (it has none)" : `: ${names.join(", ")}`;
    this.#report.add(
      path,
      show(name),
      `a sink: ${sinkTypes.join(", ")}, or a name of "sinks"${list}`,
      { hint: didYouMean(name, [...sinkTypes, ...names]) },
    );
    return nothing(name);
  }

  #inline(
    name: string,
    { type, level = "info", ...options }: CheckedSink,
    path: Path,
    typePath: Path = [...path, "type"],
  ): SinkPlan {
    const check = checkSink({ type, options });
    if ("options" in check) {
      if (this.#stdio && STANDARD.includes(type)) {
        return this.#aside({ name, type, level, options: check.options }, path);
      }
      return { name, type, level, options: this.#absolute(check.options, check.paths) };
    }
    if ("issues" in check) addIssues(this.#report, check.issues, path);
    else {
      const { unknownType, hint } = check;
      this.#report.add(typePath, show(type), unknownType, { hint });
    }
    return nothing(name);
  }

  /** A sink of a standard stream, on the one that is not the peer's. */
  #aside(plan: SinkPlan, path: Path): SinkPlan {
    if (plan.options["stream"] === "stdout") {
      this.#report.add(
        [...path, "stream"],
        '"stdout", and an endpoint is stdio:',
        '"stderr": standard output is the peer there',
      );
    }
    return { ...plan, options: { ...plan.options, stream: "stderr" } };
  }

  #absolute(
    options: SinkPlan["options"],
    paths: readonly string[],
  ): SinkPlan["options"] {
    const folder = dirname(this.#report.source.file);
    return Object.fromEntries(
      Object.entries(options).map(([key, value]) => [
        key,
        paths.includes(key) && typeof value === "string" ? resolve(folder, value) : value,
      ]),
    );
  }
}
