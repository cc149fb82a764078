/** `only_from` and `no_access` of xinetd.conf(5), as rules by address and by name. */

/** Rules, and the words that are none. */
export interface Rules {
  readonly rules: readonly string[];
  /** Names that may be those of networks, networks(5), which rules of ours do not know. */
  readonly names: readonly string[];
}

export function rulesOf(words: readonly string[]): Rules {
  const rules: string[] = [];
  const names: string[] = [];
  for (const word of words) {
    const found = word.includes("{") ? factors(word) : [word];
    const made = found.map(ruleOf);
    if (made.includes(undefined)) names.push(word);
    else rules.push(...made as string[]);
  }
  return { rules, names };
}

/** A host with its domain, or the hosts of a domain; or this one. */
const NAME = /^(?:\.?(?:[a-z0-9_-]+\.)+[a-z][a-z0-9-]*|\.[a-z][a-z0-9-]*|localhost)$/i;

/** `10.1.{2,3}` is `10.1.2` and `10.1.3`. */
function factors(word: string): string[] {
  const [, start, list] = /^([\d.]*)\{([\d,]+)\}$/.exec(word) ?? [];
  return list === undefined ? [word] : list.split(",").map((last) => `${start}${last}`);
}

/** One address or network; zeros at the end of an IPv4 address stand for anything, as do parts that are missing. */
function ruleOf(word: string): string | undefined {
  if (word.includes("/") || word.includes(":")) {
    return /^[\d.]+\/\d+$|^[\da-fA-F:.]*:[\da-fA-F:.]*(?:\/\d+)?$/.test(word) ? word : undefined;
  }
  if (NAME.test(word)) return word;
  if (!/^\d{1,3}(?:\.\d{1,3}){0,3}$/.test(word)) return undefined;
  const parts = word.split(".").map(Number);
  if (parts.some((part) => part > 255)) return undefined;
  let known = parts.length;
  while (known > 0 && parts[known - 1] === 0) known--;
  const whole = Array.from({ length: 4 }, (_, at) => parts[at] ?? 0).join(".");
  return known === 4 ? whole : `${whole}/${known * 8}`;
}
