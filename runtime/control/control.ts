/** What an operator can ask of a server that runs. `portico ctl` asks it over the control socket. */
import type { RuntimeName } from "../adapter.ts";
import type { Level } from "../core/record.ts";
import type { ServerStatus } from "../services/status.ts";

import type { PolicyControl } from "./policy.ts";

/** What a reload has come to: names of services. */
export interface Reloaded {
  readonly added: readonly string[];
  readonly changed: readonly string[];
  readonly removed: readonly string[];
  readonly unchanged: readonly string[];
  /**
   * Files of packages that have changed, and that this process goes on with as they were: a package is loaded
   * once. Workers begin with what is there.
   */
  readonly kept?: readonly string[];
}

/** Which records somebody wants to read. */
export interface RecordsQuery {
  /** Of one service; of all, and of the server itself, when silent. */
  readonly service?: string | undefined;
  /** The least that is wanted. */
  readonly level: Level;
  /** How many of the last ones come first. */
  readonly lines: number;
}

/** Every verb rejects with a PorticoError that says why; nothing has changed then. */
export interface Control {
  /** Bans, who is there, how full limits are. */
  readonly policy: PolicyControl;
  status(): ServerStatus;
  /** Reads the manifest again, changes what changed. */
  reload(): Promise<Reloaded>;
  /** Of one service or, when silent, of all; each answers with the names that it concerned. */
  suspend(service?: string): Promise<readonly string[]>;
  resume(service?: string): Promise<readonly string[]>;
  /** Resolves when the sessions are over. */
  drain(service?: string): Promise<readonly string[]>;
  /** Without a service it stops the server, after the answer. */
  stop(service?: string): Promise<readonly string[]>;
  /**
   * Starts one service anew on its sockets; resolves when it serves, and those of before have
   * `limits.drain` to end.
   */
  restart(service: string): Promise<readonly string[]>;
  /** Resolves with the successor's pid when it is ready; then this process drains and ends. */
  upgrade(to?: RuntimeName): Promise<number>;
  /**
   * The last records that the server keeps, the oldest first, then those to come.
   *
   * @param take is given each as JSON, without an LF; it returns at once and never throws.
   * @returns ends it.
   */
  logs(query: RecordsQuery, take: (json: string) => void): () => void;
}
