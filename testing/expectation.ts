/** What a test expects of a peer's bytes: whether it has come, may still come, or will not. */
import { AssertionError } from "node:assert";
import { commonLength, type Data, latin1, show, textOf, toBytes } from "./bytes.ts";

/** These bytes, a text that matches, or so many bytes. */
export type Expected = Data | RegExp | number;

/** So many bytes are taken, and this is what they were; or they may still come, or not. */
export type Verdict =
  | { readonly taken: number; readonly value: RegExpExecArray | Uint8Array | undefined }
  | "open"
  | "never";

/** @param whole nothing follows: a datagram, or a stream that has ended. */
export function judge(expected: Expected, bytes: Uint8Array, whole: boolean): Verdict {
  if (typeof expected === "number") {
    if (whole && bytes.length !== expected) {
      return bytes.length > expected ? take(bytes, expected) : "never";
    }
    return bytes.length >= expected ? take(bytes, expected) : "open";
  }
  if (expected instanceof RegExp) return matches(expected, bytes) ?? (whole ? "never" : "open");
  const wanted = toBytes(expected);
  const common = commonLength(wanted, bytes);
  if (common === wanted.length) return { taken: common, value: undefined };
  return common < bytes.length || whole ? "never" : "open";
}

function take(bytes: Uint8Array, count: number): Verdict {
  return { taken: count, value: bytes.slice(0, count) };
}

/** What a pattern finds is taken, with all that stands before it. */
function matches(pattern: RegExp, bytes: Uint8Array): Verdict | undefined {
  const text = textOf(bytes);
  const found = new RegExp(pattern.source, pattern.flags.replace(/[gy]/g, "")).exec(
    text ?? latin1(bytes),
  );
  if (found === null) return undefined;
  const before = found.input.slice(0, found.index + found[0].length);
  return { taken: text === undefined ? before.length : toBytes(before).length, value: found };
}

/** An expectation, for people. */
export function describe(expected: Expected): string {
  if (typeof expected === "number") return `${expected} bytes`;
  return expected instanceof RegExp ? String(expected) : show(toBytes(expected));
}

/** Why an expectation was not met. */
export interface Failure {
  /** "the peer tcp://127.0.0.1:49152" */
  readonly who: string;
  readonly expected: Expected;
  /** The expectation, for people. */
  readonly what: string;
  readonly received: Uint8Array;
  /** What followed: "then the end", "nothing else within 1000 ms". */
  readonly then: string;
  /** What the records say of it. */
  readonly records: readonly string[];
}

/** @param from leaves itself and what it has called out of the stack. */
export function failed({ who, expected, what, received, then, records }: Failure): AssertionError {
  const lines = [
    `${who} did not receive what was expected`,
    `  expected  ${what}`,
    `  received  ${show(received)}${then === "" ? "" : `, ${then}`}`,
  ];
  const data = typeof expected === "string" || expected instanceof Uint8Array;
  if (data) {
    const wanted = toBytes(expected);
    const at = commonLength(wanted, received);
    if (at > 0 && at < received.length) lines.push(`  differs   from byte ${at} on`);
  }
  lines.push(...records.map((record) => `  record    ${record}`));
  const text = textOf(received);
  return new AssertionError({
    message: lines.join("\n"),
    actual: typeof expected === "number"
      ? received.length
      : expected instanceof Uint8Array
      ? received
      : text ?? received,
    expected,
    operator: "expect",
  });
}

/** A failure that is about no bytes. */
export function wrong(
  lines: readonly string[],
  actual?: unknown,
  expected?: unknown,
): AssertionError {
  return new AssertionError({ message: lines.join("\n  "), actual, expected, operator: "expect" });
}
