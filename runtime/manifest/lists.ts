/**
 * Lists of `defaults` to which a service adds with `NAME+=`, or takes from with `NAME-=`, as xinetd.conf(5) has
 * it. What was there comes first, in its order; what is added comes after it.
 */
import { type Path, show } from "../values/problem.ts";
import type { Problems } from "./source.ts";

/** An item with the place where it is said. */
export interface Placed<Item> {
  readonly item: Item;
  readonly path: Path;
}

type List<Item> = readonly Placed<Item>[] | undefined;

/** What a block says of one list: in its place, beside it, without these. */
export interface ListWords<Item> {
  readonly set: List<Item>;
  readonly more: List<Item>;
  readonly less: List<Item>;
}

/** A list of a manifest, or one that is a single value. */
export function placed<Item>(said: Item | readonly Item[] | undefined, path: Path): List<Item> {
  if (said === undefined) return undefined;
  return Array.isArray(said)
    ? (said as readonly Item[]).map((item, index) => ({ item, path: [...path, index] }))
    : [{ item: said as Item, path }];
}

/**
 * The list of a service.
 *
 * @param before that of `defaults`; undefined where it has none.
 * @param words what the service says.
 * @param path of the list in the service: `services.echo.access.allow`.
 * @returns undefined where neither says anything.
 */
export function mergeList<Item>(
  before: List<Item>,
  { set, more, less }: ListWords<Item>,
  path: Path,
  problems: Problems,
): List<Item> {
  const [name, block] = [String(path.at(-1)), path.slice(0, -1)];
  if (set !== undefined) {
    for (const [sign, items] of [["+=", more], ["-=", less]] as const) {
      if (items === undefined) continue;
      const key = `${name}${sign}`;
      const text = `${name} alone, which takes the place of that of defaults, or ${key} alone`;
      problems.add([...block, key], `${show(key)} beside ${show(name)}`, text, { part: "key" });
    }
    return set;
  }
  if (more === undefined && less === undefined) return before;
  let kept = before ?? [];
  for (const { item, path } of less ?? []) {
    const left = kept.filter((one) => !isSame(one.item, item));
    if (left.length === kept.length) {
      const list = kept.length === 0
        ? "which is empty"
        : kept.map((one) => show(one.item)).join(", ");
      problems.add(path, show(item), `one of ${name} of defaults: ${list}`);
    }
    kept = left;
  }
  for (const { item, path } of more ?? []) {
    if (kept.some((one) => isSame(one.item, item))) {
      problems.add(
        path,
        `${show(item)} a second time`,
        `what ${name} of defaults does not have yet`,
      );
    }
  }
  // To take from a list that nobody has made is wrong, and told above.
  return before === undefined && more === undefined ? undefined : [...kept, ...more ?? []];
}

/** As they are written. */
function isSame(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
