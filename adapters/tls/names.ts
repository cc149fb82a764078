/** Which of several is meant by the name that a client has called: RFC 6066, 3, with the wildcards of RFC 6125, 6.4.3. */

/** By name; a wildcard stands for one label, and an exact name goes before it. */
export class Names<Value> {
  readonly #exact: Map<string, Value> = new Map();
  /** By what follows the `*`. */
  readonly #wild: Map<string, Value> = new Map();

  /** The first one who has a name keeps it. */
  add(name: string, value: Value): void {
    const wild = name.startsWith("*.");
    const map = wild ? this.#wild : this.#exact;
    const key = wild ? name.slice(1) : name;
    if (!map.has(key)) map.set(key, value);
  }

  /** @param name as it was sent: in any case, perhaps with the dot of a root. */
  find(name: string): Value | undefined {
    const lower = name.toLowerCase().replace(/\.$/, "");
    const found = this.#exact.get(lower);
    if (found !== undefined || this.#wild.size === 0) return found;
    const dot = lower.indexOf(".");
    return dot > 0 ? this.#wild.get(lower.slice(dot)) : undefined;
  }
}
