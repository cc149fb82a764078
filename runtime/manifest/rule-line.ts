/** A line of a file of rules: whom it is about, and what tcprules(1) calls its instructions. */
import type { RuleOptions } from "../core/plan.ts";

/** What would be right. */
export const OPTION = 'NAME="TEXT", with a name of letters, digits and _, as in RELAYCLIENT=""';

/** A line as it was read. */
export interface RuleLine {
  readonly subject: string;
  readonly options?: RuleOptions;
}

/** Names that options may have: those of variables of an environment. */
export const OPTION_NAME = /^[A-Za-z_]\w*$/;

/**
 * Reads a line: whom it is about, then `NAME=TEXT` or `NAME="TEXT"` as often as there are options; what
 * follows a `#` outside of quotes is a comment.
 *
 * @returns undefined for a line without a rule.
 * @throws SyntaxError whose message says what would be right.
 */
export function readRuleLine(line: string): RuleLine | undefined {
  if (!line.includes("=")) {
    const subject = line.replace(/#.*/, "").trim();
    return subject === "" ? undefined : { subject };
  }
  const [, subject = "", rest = ""] = /^((?:(?!\s[^\s#"]*=|#).)*)(.*)$/s.exec(line)!;
  const options: Record<string, string> = Object.create(null);
  let at = 0;
  const next = /\s*(?:#.*|([^\s="#]+)=(?:"([^"]*)"|([^\s"#]*))(?=[\s#]|$))/sy;
  for (next.lastIndex = 0; rest.slice(at).trim() !== ""; at = next.lastIndex) {
    const found = next.exec(rest);
    if (found === null) throw new SyntaxError(`${OPTION}; received ${JSON.stringify(line)}`);
    const [, name, quoted, plain] = found;
    if (name === undefined) break;
    if (!OPTION_NAME.test(name) || name in options) {
      throw new SyntaxError(`${OPTION}; received ${JSON.stringify(line)}`);
    }
    options[name] = quoted ?? plain!;
  }
  const whom = subject.trim();
  const given = Object.keys(options).length > 0;
  if (whom === "" && !given) return undefined;
  return { subject: whom, ...(given && { options: { ...options } }) };
}
