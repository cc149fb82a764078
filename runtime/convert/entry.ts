/** A service of inetd.conf(5) or xinetd.conf(5), in the words of the latter. */
export interface Entry {
  /** As in services(5); of a Unix socket its path. */
  readonly service: string;
  /** What tells it from others of that name. */
  readonly id: string;
  readonly file: string;
  /** Where it begins, from 1 on. */
  readonly line: number;
  /** By the name in small letters: the words of the value. */
  readonly attributes: ReadonlyMap<string, readonly string[]>;
  /** Why it does not run there. */
  readonly off?: string;
}

/** A service as a manifest has it. */
export interface Converted {
  readonly name: string;
  readonly file: string;
  readonly line: number;
  readonly service: Readonly<Record<string, unknown>>;
  /** What it had, and has no equal. */
  readonly remarks: readonly string[];
  /** Why it is not part of the manifest, but a comment in it. */
  readonly off?: string;
}
