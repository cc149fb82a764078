/**
 * What a plugin gives to the calls of its API. A plugin in JavaScript may give anything: what is wrong
 * throws at the plugin's own line, and says which argument it is and what is due.
 */

/** Characters of a text that a message shows. */
const SHOWN = 60;

/** What was given, for a message. Never throws, whatever it is. */
export function given(value: unknown): string {
  switch (typeof value) {
    case "string":
      return JSON.stringify(value.length <= SHOWN ? value : `${value.slice(0, SHOWN)}…`);
    case "bigint":
      return `${value}n`;
    case "object":
      return value === null ? "null" : "an object";
    case "function":
      return "a function";
    default:
      return String(value);
  }
}

/** A whole number within bounds, or Infinity where that is one of them. */
export interface Bounds {
  readonly least: number;
  readonly most: number;
  /** What is due, for the message: `bytes, a whole number above 0`. */
  readonly due: string;
}

/** How large something may be, in bytes. */
export const LIMIT: Bounds = {
  least: 1,
  most: Infinity,
  due: "a whole number of bytes above 0, or Infinity for no limit",
};

/**
 * Checks a number.
 *
 * @param what the argument, with its call: `max of lines(max)`.
 * @throws TypeError for what is no number, RangeError for one that is not whole or out of bounds.
 */
export function wholeNumber(what: string, value: unknown, { least, most, due }: Bounds): void {
  if (typeof value !== "number") throw wrongType(what, due, value);
  const whole = Number.isInteger(value) || value === Infinity;
  if (whole && value >= least && value <= most) return;
  throw new RangeError(`${what}: ${due} is due; received ${value}`);
}

/** @throws TypeError for what is no object, or has no function of this name. */
export function objectWith(what: string, due: string, value: unknown, name?: string): void {
  const right = typeof value === "object" && value !== null &&
    (name === undefined || typeof (value as Record<string, unknown>)[name] === "function");
  if (!right) throw wrongType(what, due, value);
}

export function wrongType(what: string, due: string, value: unknown): TypeError {
  return new TypeError(`${what}: ${due} is due; received ${given(value)}`);
}
