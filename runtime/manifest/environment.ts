import { VARIABLES } from "../core/banner.ts";
import type { Path } from "../values/problem.ts";

/** Tells of a variable that cannot be put in, as {@link Problems.add} takes it. */
export type AddProblem = (path: Path, received: string, expected: string) => void;

/** Is told of each text with references; `whole`: it is one, and nothing else. */
export type NoteReference = (path: Path, whole: boolean) => void;

const WHOLE = /^\$\{[^}]*\}$/;
const REFERENCE = /\$\$\{|\$\{([^}]*)(\}?)/g;
const NAME = /^([A-Za-z_]\w*)(?::-(.*))?$/s;

/**
 * Replaces `${NAME}` and `${NAME:-default}` in every string of a value, in values but not in keys.
 * As in a shell, the default is for a variable that is not set or empty. `$${` stands for `${`. In a
 * `banner` the names that `core/banner.ts` knows are left as they are.
 *
 * @param note is told where there were any.
 */
export function substitute(
  value: unknown,
  variables: Readonly<Record<string, string | undefined>>,
  addProblem: AddProblem,
  note: NoteReference = () => {},
  path: Path = [],
): unknown {
  if (typeof value === "string") {
    if (!value.includes("${")) return value;
    const own = isBanner(path) ? VARIABLES.refuse : undefined;
    const expanded = expandText(value, variables, addProblem, path, own);
    if (expanded !== value) note(path, WHOLE.test(value));
    return expanded;
  }
  if (Array.isArray(value)) {
    return value.map((item, index) =>
      substitute(item, variables, addProblem, note, [...path, index])
    );
  }
  // Only plain objects: a module's manifest may hold instances, which are left as they are.
  if (value !== null && typeof value === "object" && isPlain(value)) {
    return Object.fromEntries(
      Object.entries(value).map((
        [key, item],
      ) => [key, substitute(item, variables, addProblem, note, [...path, key])]),
    );
  }
  return value;
}

/** Whether a text there has variables of its own, which are filled in when somebody comes. */
function isBanner([block, name, key]: Path): boolean {
  return block === "services" ? key === "banner" : block === "defaults" && name === "banner";
}

/** Whether it is no instance of a class. */
export function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

function expandText(
  text: string,
  variables: Readonly<Record<string, string | undefined>>,
  addProblem: AddProblem,
  path: Path,
  own: readonly string[] | undefined,
): string {
  return text.replace(REFERENCE, (whole: string, inside?: string, end?: string) => {
    if (own?.includes(inside!) === true && end === "}") return whole;
    // Whoever fills in its own variables reads this, too.
    if (whole === "$${") return own === undefined ? "${" : whole;
    const found = end === "}" ? NAME.exec(inside ?? "") : null;
    if (found === null) {
      addProblem(path, whole, "${NAME} or ${NAME:-default}; $${ for the characters themselves");
      return whole;
    }
    const name = found[1]!;
    const value = variables[name];
    const fallback = found[2];
    if (fallback !== undefined) return value === undefined || value === "" ? fallback : value;
    if (value !== undefined) return value;
    addProblem(
      path,
      `${whole}, and ${name} is not set`,
      `the variable ${name} in the environment, or a default: \${${name}:-…}`,
    );
    return whole;
  });
}
