/** What a package can be called, by those who will be asked about it: npm, JSR and a manifest. */
import { BUILT_IN } from "../modules/resolve.ts";
import { show } from "../values/problem.ts";
import validate from "validate-npm-package-name";
import type { Project } from "./project.ts";

/** Why a name cannot be had. */
export interface Flaw {
  readonly received: string;
  readonly expected: string;
  readonly hint?: string;
}

/** What the name has to suit. */
type Named = Pick<Project, "what" | "kind" | "registry">;

/**
 * What is wrong with the name of a package; undefined when nothing is.
 *
 * @param sinks the types of sink that Portico brings along.
 */
export function nameFlaw(
  name: string,
  { what, kind, registry }: Named,
  sinks: readonly string[],
): Flaw | undefined {
  const { validForNewPackages, errors = [], warnings = [] } = validate(name);
  if (!validForNewPackages) {
    const better = repaired(name);
    return {
      received: show(name),
      expected: `a name that npm takes: ${[...errors, ...warnings].join(", ")}`,
      ...(better !== undefined && { hint: `did you mean ${show(better)}?` }),
    };
  }
  if (name === "portico") {
    return { received: show(name), expected: "another name than that of what it depends on" };
  }
  const taken = kind === "sink" ? sinks : BUILT_IN;
  if (what === "plugin" && taken.includes(name)) {
    return {
      received: show(name),
      expected: `another name: in a manifest ${show(name)} is the one that comes along`,
      hint: `portico-plugin-${name} is free of that`,
    };
  }
  return what === "plugin" && registry !== "npm" ? jsrFlaw(name) : undefined;
}

/** JSR's packages have a scope, and both halves are plainer than npm's: https://jsr.io/docs/publishing-packages */
function jsrFlaw(name: string): Flaw | undefined {
  const [, scope, bare = name] = /^@([^/]+)\/(.+)$/.exec(name) ?? [];
  if (scope === undefined) {
    return {
      received: show(name),
      expected: "a name with a scope, as JSR's all are",
      hint: `@you/${name}, where you is a scope of yours`,
    };
  }
  const plain = (part: string, most: number): boolean =>
    part.length >= 2 && part.length <= most && /^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?$/.test(part);
  if (plain(scope, 100) && plain(bare, 58)) return undefined;
  return {
    received: show(name),
    expected: "a scope and a name of a-z, 0-9 and - between them, 2 to 58 characters, as JSR's are",
  };
}

/** The nearest name that npm takes, if there is one. */
function repaired(name: string): string | undefined {
  const better = name.trim().toLowerCase().replaceAll(/[^a-z0-9@/._-]+/g, "-")
    .replaceAll(/^[._-]+|-+$/g, "");
  return better !== name && validate(better).validForNewPackages ? better : undefined;
}

/** The name of the plugin in a package: without its scope, and without what all of them begin with. */
export function pluginName(name: string): string {
  const bare = name.replace(/^@[^/]+\//, "");
  return (/^portico-(?:plugin-)?(.+)$/.exec(bare)?.[1] ?? bare).replaceAll(/[^\w-]/g, "-");
}

/** The folder that a package is made in: the last part of its name. */
export function folderName(name: string): string {
  return name.replace(/^@[^/]+\//, "");
}
