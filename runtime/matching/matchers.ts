/** The matchers of a plan. */
import { messageOf, PorticoError } from "../core/errors.ts";
import type { MatchCondition } from "../core/prologue/match-plan.ts";
import {
  matchAny,
  type Matcher,
  matchHttp,
  matchPrefix,
  matchSsh,
  matchTls,
} from "../core/prologue/match.ts";

const EVERYBODY: Matcher = () => true;

/**
 * Who is asked for by a condition, by what he says.
 *
 * @param matchers of modules, by their URLs.
 * @param report is told of one that fails; then it is a no.
 */
export function matcherOf(
  when: MatchCondition,
  matchers: ReadonlyMap<string, Matcher> | undefined,
  report: (error: PorticoError) => void,
): Matcher {
  switch (when.kind) {
    case "tls":
      return matchTls(when);
    case "http":
      return matchHttp;
    case "ssh":
      return matchSsh;
    case "prefix":
      return matchAny(when.prefixes.map((hex) => matchPrefix(bytesOf(hex))));
    case "plugin":
      return guarded(matchers!.get(when.url)!, when.specifier, report);
    case "otherwise":
      return EVERYBODY;
  }
}

function bytesOf(hex: string): Uint8Array {
  return Uint8Array.from(hex.match(/../g) ?? [], (byte) => Number.parseInt(byte, 16));
}

/** Code of others: it may throw, or answer with anything. */
function guarded(
  matches: Matcher,
  specifier: string,
  report: (error: PorticoError) => void,
): Matcher {
  const failed = (text: string, cause?: unknown): false => {
    report(new PorticoError("HOOK_FAILED", `the matcher of ${specifier} ${text}`, { cause }));
    return false;
  };
  return (bytes) => {
    try {
      const answer: unknown = matches(bytes);
      if (typeof answer === "boolean" || answer === undefined) return answer;
      return failed("has answered with neither true, false nor undefined");
    } catch (error) {
      return failed(`has thrown: ${messageOf(error)}`, error);
    }
  };
}
