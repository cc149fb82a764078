/**
 * Values on their way to a worker: as JSON where that gives back the same, else as structured clones. Those
 * are of `node:v8`, which a worker that serves one session would load for nothing else.
 */
import { deserialize, serialize } from "node:v8";

/** How JSON begins here; structured clones begin with 0xff. */
const JSON_MARK = "{".charCodeAt(0);
/** What stands for Infinity, which limits are full of and JSON has not. No other object has such a key. */
const INFINITE = "\0infinite";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** @throws Error when it holds what no other thread can be given, as a function. */
export function encode(value: unknown): Uint8Array {
  if (!isPlain(value, new Set())) return serialize(value);
  return encoder.encode(JSON.stringify({ value }, (_key, each) => {
    return each === Infinity ? { [INFINITE]: 1 } : each;
  }));
}

/** @param bytes have to begin with their buffer: Deno would look for views in them at the wrong place. */
export function decode(bytes: Uint8Array): unknown {
  if (bytes[0] !== JSON_MARK) return deserialize(bytes);
  const { value } = JSON.parse(decoder.decode(bytes), (_key, each) => {
    return each !== null && typeof each === "object" && INFINITE in each ? Infinity : each;
  });
  return value;
}

/** Whether JSON, with Infinity, gives it back as it is. What is there twice would become two. */
function isPlain(value: unknown, seen: Set<object>): boolean {
  if (value === null || typeof value === "boolean" || typeof value === "string") return true;
  if (typeof value === "number") {
    return (Number.isFinite(value) || value === Infinity) && !Object.is(value, -0);
  }
  if (typeof value !== "object" || seen.has(value)) return false;
  seen.add(value);
  if (Array.isArray(value)) {
    // An array with holes, or with names, is none that JSON has: as many of either look like none of both.
    return Object.keys(value).length === value.length &&
      Array.from<unknown>(value).every((each) => isPlain(each, seen));
  }
  const prototype = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) return false;
  return Object.entries(value).every(([key, each]) =>
    key !== INFINITE && key !== "__proto__" && isPlain(each, seen)
  );
}
