/** `rlimit_*` of xinetd.conf(5), as `resources` of the plugin `exec`. */

type Get = (name: string) => readonly string[] | undefined;

/** By ours, what xinetd calls them. */
const NAMES = {
  memory: "rlimit_as",
  data: "rlimit_data",
  stack: "rlimit_stack",
  cpu: "rlimit_cpu",
  files: "rlimit_files",
} as const;

/** xinetd's names of limits. */
export const RLIMITS: readonly string[] = [...Object.values(NAMES), "rlimit_rss"];

/** What each program may use; undefined where nothing is said. */
export function resourcesOf(get: Get, remark: (text: string) => void): object | undefined {
  if (get("rlimit_rss") !== undefined) {
    remark("rlimit_rss: Linux does nothing with it; resources.memory is the address space");
  }
  const found = Object.entries(NAMES).flatMap(([name, attribute]) => {
    const [text] = get(attribute) ?? [];
    if (text === undefined || text.toUpperCase() === "UNLIMITED") return [];
    const number = numberOf(text);
    if (number !== undefined) return [[name, name === "cpu" ? `${number}s` : number] as const];
    remark(`${attribute}: ${text} is no number above 0`);
    return [];
  });
  return found.length === 0 ? undefined : Object.fromEntries(found);
}

/** `K` and `M` are of 1024. */
function numberOf(text: string): number | undefined {
  const [, digits, unit] = /^([1-9]\d*)([kKmM]?)$/.exec(text) ?? [];
  if (digits === undefined) return undefined;
  return Number(digits) * (unit === "" ? 1 : /k/i.test(unit!) ? 1024 : 1024 ** 2);
}
