/** What a plugin logs is anything; what a record holds is JSON values, and its own. */
import { messageOf } from "./errors.ts";

/**
 * A value as a record can hold it, here and after it has come from a worker: of an object a copy, as JSON
 * has it, of an error its message. What JSON does not have is text, as NaN, a bigint or an object that
 * holds itself; a function is undefined, as in JSON. Never throws.
 */
export function plainValue(value: unknown): unknown {
  switch (typeof value) {
    case "object":
      return value === null ? null : plainObject(value);
    case "function":
      return undefined;
    case "number":
      return Number.isFinite(value) ? value : String(value);
    case "bigint":
    case "symbol":
      return String(value);
    default:
      return value;
  }
}

function plainObject(value: object): unknown {
  try {
    if (value instanceof Error) return messageOf(value);
    const text: string | undefined = JSON.stringify(value);
    return text === undefined ? undefined : JSON.parse(text);
  } catch {
    return `[object ${nameOf(value)}]`;
  }
}

/** Its class, where that can be told. */
function nameOf(value: object): string {
  try {
    return Object.prototype.toString.call(value).slice(8, -1);
  } catch {
    return "Object";
  }
}
