import type { Address, Endpoint, TlsClient } from "./endpoint.ts";
import type { Logger, Peer, RequestInfo, Session } from "./conversation.ts";
import type { Spawn } from "./process.ts";
import type { Fields } from "./record.ts";
import type { Duration } from "./units.ts";

export type {
  Closed,
  Logger,
  Peer,
  ReadOptions,
  RequestInfo,
  RequestSession,
  Session,
  StartTlsOptions,
} from "./conversation.ts";

/** The version of this interface. A package that holds a plugin says `"portico": { "api": 1 }`. */
export const API = 1;

/** Standard Schema, version 1 (https://standardschema.dev): what valibot, zod and arktype offer. */
export interface StandardSchema<Output = unknown, Input = unknown> {
  readonly "~standard": {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (
      value: unknown,
    ) => StandardResult<Output> | Promise<StandardResult<Output>>;
    readonly types?: { readonly input: Input; readonly output: Output } | undefined;
  };
}

/** What a schema answers: the value, or why not. */
export type StandardResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | {
    readonly issues: readonly {
      readonly message: string;
      readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
    }[];
  };

/**
 * What a service does with its sessions, in the order of `socketserver`: verify, setup, handle,
 * finish; and error. All are optional but one of `data`, `handle`, `datagram` and `fetch`. A hook that throws or
 * rejects ends its own session only.
 */
export interface Hooks<State = unknown> {
  /**
   * After the manifest's rules, limits and turn, before anything is read: `false` refuses the peer, with
   * a `refuse` record; what is neither true nor false is an error, and lets nobody in. On datagrams and requests, for each of them. `limits.lifetime` is its deadline.
   */
  verify?(peer: Peer): boolean | Promise<boolean>;
  /** Makes `session.state`; {@link defineHooks} is for its type. */
  setup?(session: Session<undefined>): State | Promise<State>;
  /**
   * Push form: each chunk of a stream, or the one datagram. `chunk` is lent until the hook returns:
   * write it freely, copy it to keep it (`new Uint8Array(chunk)`). If a promise is returned, reading waits
   * for it, and the chunk lives until then; of datagrams unless {@link Plugin.keepsDatagrams} is false.
   */
  data?(session: Session<State>, chunk: Uint8Array): void | Promise<void>;
  /** Push form: the peer will send no more. When silent, `session.end()`. Not on datagrams. */
  end?(session: Session<State>): void | Promise<void>;
  /**
   * Push form: the backlog has gone out, after a `write` that returned false. With it the plugin looks
   * after back-pressure itself: reading goes on meanwhile. Not on datagrams.
   */
  drain?(session: Session<State>): void | Promise<void>;
  /**
   * A datagram, where the plugin serves streams in another form: it stands in the place of `data` or
   * `handle` for datagrams. `bytes` as in {@link data}.
   */
  datagram?(session: Session<State>, bytes: Uint8Array): void | Promise<void>;
  /** Pull form. The session ends when it returns: what was written is sent first. */
  handle?(session: Session<State>): void | Promise<void>;
  /**
   * Descriptor form, for streams: the connected socket itself, unread, for a program that is given it
   * as stdin and stdout. It may be passed on or duplicated; it is closed when the hook's promise has
   * settled, and the session is over. The fields that it returns are added to the `close` record.
   * A plugin that serves datagrams too has `data` or `handle` beside it.
   *
   * @param spawn starts a program that inherits no descriptor but its standard streams, which
   * `node:child_process` does not promise on every runtime: then the peer sees no end while anything
   * lives that the program has started.
   */
  take?(
    session: Session<State>,
    fd: number,
    spawn: Spawn,
  ): Fields | void | Promise<Fields | void>;
  /**
   * HTTP: each request; a Hono app's `fetch` fits as it is. `verify` is asked before it; there is no
   * `setup` and no `finish`. What throws is answered with 500.
   */
  fetch?(request: Request, info: RequestInfo): Response | Promise<Response>;
  /**
   * The service drains, because it stops, is reloaded or suspended: the session has `limits.drain` to
   * say goodbye, as SMTP does by 421, and to end. Also of those that are let in meanwhile. Beside
   * `data` or `handle`, which go on. Not on datagrams.
   */
  retire?(session: Session<State>): void | Promise<void>;
  /** Always, once, if `setup` came back. */
  finish?(session: Session<State>): void | Promise<void>;
  /**
   * A hook threw. When silent it is logged; the session ends either way. What it throws itself is logged,
   * too: `throw error` for what it has no answer to.
   */
  error?(session: Session<State>, error: unknown): void | Promise<void>;
  /** Once, after the drain. */
  stop?(): void | Promise<void>;
}

/** What `start` is given. */
export interface StartContext<Options> {
  /** What the plugin's schema made of the manifest's `options`. */
  readonly options: Options;
  /** The name in the manifest. */
  readonly service: string;
  /** The manifest's folder, absolute: relative paths in `options` start there. */
  readonly folder: string;
  /** Records of the service itself. */
  readonly log: Logger;
  /** The server itself; for the plugin `admin` of this package, and no other. */
  readonly server?: unknown;
  /** Aborts when the service stops. */
  readonly signal: AbortSignal;
  /**
   * Whose state this start's is: the `service`'s under `serial` and `async`; a `worker`'s under
   * `threads` and `processes`, of which there are several; one `session`'s under `spawn`.
   */
  readonly scope: "service" | "worker" | "session";
  /** Which worker this is, from 1 on; whoever replaces one that has died has its number. None under `serial` and `async`. */
  readonly worker: number | undefined;
  /**
   * Opens a stream (`tcp:`, `tls:`, `unix:`) or a datagram socket with one peer (`udp:`, `unixgram:`), as a
   * session that these hooks serve: `data`, `end`, `drain` or `handle`; `datagram`, `retire`, `finish`,
   * `error`. Without hooks it is in pull form, and whoever called reads it to its end, or ends it. It
   * ends as any session does; a datagram session with its `end`. It is resolved when the peer has accepted.
   *
   * Whoever awaits it goes on first, and then the hooks begin, in a later turn of the event loop: not
   * even a peer that speaks at once, ends at once or resets is heard before.
   *
   * @throws PorticoError ECONNREFUSED, ENOENT, ETIMEDOUT, ENOTFOUND, TLS_FAILED …
   */
  readonly connect: <State = undefined>(
    endpoint: string,
    hooks?: Hooks<State>,
    options?: ConnectOptions<State>,
  ) => Promise<Session<State>>;
  /**
   * Listens on a stream (`tcp:`, `unix:`) at run time, in the worker that asks: FTP's passive mode, the
   * BIND of SOCKS. Of a range of ports (`tcp://*:30000-30009`) it takes one that is free. Who comes is a
   * session of the service, with its rules, `sessions`, `perSource` and deadlines, and it is waited for
   * when the service drains; but it needs no turn, as it belongs to somebody who has it. Without hooks it
   * is in pull form, as with {@link connect}.
   *
   * @throws PorticoError EADDRINUSE, EACCES, EADDRNOTAVAIL …
   */
  readonly listen: <State = undefined>(
    endpoint: string,
    hooks?: Hooks<State>,
    options?: ListenOptions,
  ) => Promise<Listening<State>>;
}

/** Options of {@link StartContext.listen}. */
export interface ListenOptions {
  /** One session is let in, then nobody listens any more. */
  readonly once?: boolean;
  /** The only host that is let in, as {@link Session.remote} of whom it is for. */
  readonly from?: Address | string;
  /** Nobody listens any more when nobody has come by then. */
  readonly timeout?: Duration;
}

/** A listener that a plugin has opened at run time. Close it; or the end of the service does. */
export interface Listening<State = undefined> {
  /** What is really bound: port 0 is resolved. */
  readonly address: Address;
  /** The first session that is served. Rejects with ETIMEDOUT, or SESSION_CLOSED when it is closed before. */
  readonly accepted: Promise<Session<State>>;
  /** Stops listening. Who has come stays. May be called twice. */
  close(): Promise<void>;
}

/** Options of {@link StartContext.connect}. */
export interface ConnectOptions<State> {
  /** What `session.state` begins as. */
  readonly state?: State;
  /** 10 s when silent. */
  readonly timeout?: Duration;
  /** Of a `tls:` endpoint: whom we trust, who we are, which protocols we speak. */
  readonly tls?: TlsClient;
}

/**
 * A handler plugin: the default export of its module. Make it with {@link definePlugin}. `Input` is what
 * a manifest may say as `options`, of which the schema makes `Options`.
 */
export interface Plugin<Options = unknown, State = unknown, Input = unknown> {
  /** Letters, digits, `-`, `_`; it names the plugin in messages. */
  readonly name: string;
  /** What it can serve. */
  readonly transports: readonly ("stream" | "datagram" | "http")[];
  /** Checks and completes the manifest's `options`. Without it, `options` has to be empty. */
  readonly options?: StandardSchema<Options, Input>;
  /**
   * Why these options cannot go with these endpoints, as what would be right; undefined when they can.
   * Asked before anything is bound.
   */
  readonly fits?: (options: Options, listen: readonly Endpoint[]) => string | undefined;
  /**
   * Why this machine cannot serve these options now, as a program that is not installed; undefined when it
   * can. `portico check` asks it; it starts and opens nothing. What it throws is the reason, too.
   */
  readonly probe?: (options: Options, context: { readonly folder: string }) => string | undefined;
  /**
   * False: nothing looks at the bytes of a datagram any more when `data` has returned, not even after
   * an `await`. Then they are not copied for it. True when silent.
   */
  readonly keepsDatagrams?: boolean;
  /**
   * False: nothing looks at a chunk of a session that is iterated (`for await`) any more when the next one is
   * asked for; what was written of it is sent all the same. Then large chunks need no memory of their own.
   * Lines, frames and what else is read are the handler's as ever. True when silent.
   */
  readonly keepsChunks?: boolean;
  /**
   * True: it takes the sockets of streams itself, hook `take`. Then a manifest that limits what goes through
   * them (`bytes`, `bytesPerSecond`) is refused when it is checked, and not only at the start.
   */
  readonly takes?: boolean;
  /**
   * `service`: its state must be one for all sessions, as a store's. Then a strategy that would give
   * it several is refused at the start. A worker that dies takes its state with it.
   */
  readonly scope?: "service";
  /**
   * How many datagrams one address may send over UDP where the manifest is silent, as `"1000/s"`: for
   * what answers everybody, so that two of its kind do not talk to each other for ever at full speed.
   */
  readonly datagramRate?: string;
  /** 1 when silent: {@link API}. */
  readonly api?: number;
  /** Runs once in each worker, and returns the hooks. State that it closes over belongs to the service. */
  readonly start: (
    context: StartContext<Options>,
  ) => Hooks<State> | Promise<Hooks<State>>;
}

/** Returns its argument: for the types. */
export function definePlugin<
  Options = Record<string, never>,
  State = undefined,
  Input = unknown,
>(plugin: Plugin<Options, State, Input>): Plugin<Options, State, Input> {
  return plugin;
}

/**
 * Returns its argument, for the types: where `start` takes its context and `setup` takes nothing, TypeScript
 * does not find out by itself what `session.state` is. It does where `setup` names its parameter, used or not.
 *
 * ```ts
 * start: ({ log }) => defineHooks({ setup: () => ({ lines: 0 }), data(session) { session.state.lines++ } })
 * ```
 */
export function defineHooks<State = undefined>(hooks: Hooks<State>): Hooks<State> {
  return hooks;
}
