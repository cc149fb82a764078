/** What a program has of a server that it has started. */
import type { Reloaded } from "../control/control.ts";
import type { Address, Transport } from "../core/endpoint.ts";
import type { ManifestOf } from "../manifest/define.ts";
import type { PluginObject } from "../manifest/manifest.ts";
import type { ServerStatus } from "../services/status.ts";

/**
 * A server that runs in this program. It keeps the event loop alive until it has stopped. What rejects
 * or throws does so with a PorticoError that says why, and nothing has changed then. `await using` stops it.
 */
export type EmbeddedServer = Verbs & Disposable;

/** `[Symbol.asyncDispose](): Promise<void>`, for compilers whose libraries know that symbol. */
type Disposable = SymbolConstructor extends { readonly asyncDispose: infer Key extends symbol }
  ? { readonly [Name in Key]: () => Promise<void> }
  : unknown;

/** What can be asked of it. */
export interface Verbs {
  /**
   * Where a service is really bound: port 0 is resolved. `String(address)` is the endpoint's text.
   *
   * @param transport which is meant, where it has several.
   * @throws PorticoError USAGE when it is not exactly one, and for a service that there is not.
   */
  address(service: string, transport?: Transport): Address;
  /** All of them, in the order of the manifest; none of a service that was stopped. @throws PorticoError USAGE. */
  addresses(service: string): readonly Address[];
  /** What runs, and what it has done, as `portico ctl status --json` has it. */
  status(): ServerStatus;
  /**
   * Changes what has changed: a service is started anew on its own sockets, and the old one's sessions
   * end by themselves. Whatever cannot be leaves all as it was.
   *
   * @param manifest in the place of the one before, from here on; when silent that one is looked at again:
   * its file is read, and modules of plugins are, if they have changed.
   */
  reload<Plugins extends Record<string, string | PluginObject>>(
    manifest?: ManifestOf<Plugins> | string | URL,
  ): Promise<Reloaded>;
  /** Stops accepting: what connects waits in the kernel's queue. Of one service or, when silent, of all; as the next two. */
  suspend(service?: string): Promise<readonly string[]>;
  /** Accepts again. */
  resume(service?: string): Promise<readonly string[]>;
  /** Stops accepting, and resolves when the sessions are over: they have `limits.drain`. */
  drain(service?: string): Promise<readonly string[]>;
  /** Starts a service anew on its own sockets, one that was stopped too; the old one's sessions end by themselves. */
  restart(service: string): Promise<readonly string[]>;
  /**
   * Stops accepting, lets sessions end for as long as `limits.drain` says, closes: one service or, when silent, the
   * server. Resolves when that is done; may be called twice.
   */
  stop(service?: string): Promise<void>;
  /** Closes the server at once, also what {@link stop} still waits for. */
  kill(): Promise<void>;
  /** Resolves when the server has stopped, whoever has wanted that: the program, a signal, its control socket. */
  readonly finished: Promise<void>;
}
