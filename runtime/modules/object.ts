/**
 * Plugins and sinks that a manifest holds itself, where others name a module. Each has a URL, so that a
 * plan stays plain data: the same object is the same plugin, and no other process can import it.
 */
const urls = new WeakMap<object, string>();
/** Whoever made the manifest keeps them. */
const objects = new Map<string, WeakRef<object>>();
const collected = new FinalizationRegistry<string>((url) => void objects.delete(url));
let count = 0;

/** The URL of an object, the same each time. */
export function urlOfObject(object: object): string {
  const known = urls.get(object);
  if (known !== undefined) return known;
  const url = `object:${++count}`;
  urls.set(object, url);
  objects.set(url, new WeakRef(object));
  collected.register(object, url);
  return url;
}

/** The object of a URL; undefined for any other URL, and when nobody has the object any more. */
export function objectAt(url: string): object | undefined {
  return objects.get(url)?.deref();
}

/** What an object calls itself, where that can be the name of a plugin or sink. */
export function nameOfObject(object: object): string | undefined {
  const { name } = object as { name?: unknown };
  return typeof name === "string" && /^[A-Za-z0-9][\w-]*$/.test(name) ? name : undefined;
}
