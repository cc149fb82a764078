/// <reference lib="esnext.disposable" preserve="true" />
/** What a test of a plugin is given: a service, and peers that it plays. */
import type { Address } from "../runtime/core/endpoint.ts";
import type { LogRecord } from "../runtime/core/record.ts";
import type { ServiceStatus } from "../runtime/services/status.ts";
import type { Duration } from "../runtime/core/units.ts";
import type { Data } from "./bytes.ts";
import type { TestClock } from "./clock.ts";
import type { TestedTransport } from "./settings.ts";

/** How a peer's session has ended. */
export interface Closed {
  /** Whether it was reset, by either side. A datagram ends with its answer. */
  readonly how: "end" | "reset";
  /** As in the record `close`: `peer`, `done`, `error`, `idle` …; `refused` of one that was not let in. */
  readonly reason: string | undefined;
  /** The record `close`, or `refuse`. */
  readonly record: LogRecord | undefined;
}

/** As those of `fetch`. */
export type RequestSettings = RequestInit;

/**
 * Somebody who talks to the service. On a stream it is a connection, and what comes is one sequence of
 * bytes, whatever pieces it came in. On datagrams each `send` is one datagram, and each `expect` is about
 * one answer; there it has no end, and reads always. Over HTTP it has {@link fetch}, and nothing else to say.
 */
export interface Peer {
  readonly kind: "stream" | "datagram" | "http";
  /** Its own address, as `session.remote` has it. */
  readonly address: Address;
  /** The number of its session, as records have it; of datagrams that of the last one. */
  readonly session: number | undefined;
  /** The records of its session; of datagrams, of all from this address. */
  readonly records: readonly LogRecord[];
  /** All bytes that it has received so far, also those that were expected already. */
  readonly received: Uint8Array;
  /** {@link received} as text in UTF-8. */
  readonly text: string;
  /** Bytes that the service has written and this peer has not read: see {@link stopReading}. */
  readonly backlog: number;
  /** Sends bytes, or text in UTF-8: one chunk, or one datagram. */
  send(data: Data): void;
  /** Waits for exactly this to come next. @throws AssertionError as soon as it cannot come any more. */
  expect(data: Data): Promise<void>;
  /**
   * Waits for text that matches. All up to the end of the match is taken, so `^` is where the last
   * `expect` has stopped; end the pattern with what ends the message.
   */
  expect(pattern: RegExp): Promise<RegExpExecArray>;
  /** Waits for so many bytes; of a datagram, for one that is as long. */
  expect(bytes: number): Promise<Uint8Array>;
  /** Waits until all is at rest: nothing more has come. */
  expectNothing(): Promise<void>;
  /**
   * Waits until all is at rest, and takes what has come and was not expected yet: of datagrams the next
   * one. Undefined when there is nothing.
   */
  read(): Promise<Uint8Array | undefined>;
  /** Waits for the service to end its side: nothing else has come before that. Not on datagrams. */
  expectEnd(): Promise<void>;
  /** All that comes up to the end of the service's side. Not on datagrams. */
  rest(): Promise<Uint8Array>;
  /** HTTP: sends a request, and waits for the head of its answer. The path may have a query. */
  fetch(path: string, init?: RequestSettings): Promise<Response>;
  /** Will send no more, and goes on reading: half-close. Nothing on datagrams. */
  end(): void;
  /** Resets the connection. Not on datagrams. */
  reset(): void;
  /** Leaves what comes in the service's hands, until {@link startReading}: back-pressure. Not on datagrams. */
  stopReading(): void;
  startReading(): void;
  /** The service has ended its side, and all that it had sent was read. */
  readonly over: boolean;
  /** Waits until its session is over, and says how that came. */
  readonly closed: Promise<Closed>;
}

/** How a peer comes to a service. */
export interface ConnectSettings {
  /** Its address, with or without a port: `"192.0.2.7"`, `"192.0.2.7:1234"`, `"[2001:db8::7]:1234"`. */
  readonly from?: string;
  /** Of the transports that the service has; the first of them when silent. */
  readonly transport?: TestedTransport;
  /** In its place: what the plugin has opened itself, by `listen`. */
  readonly to?: Address | string;
  /** It goes on sending when it has read the end of the service's side. Most programs close then. */
  readonly allowHalfOpen?: boolean;
}

/** A service that runs in memory. Made by `open`; `await using` closes it. */
export interface TestedService extends AsyncDisposable {
  /** The clock of its deadlines, rates and waits. */
  readonly clock: TestClock;
  /** All records so far, of every level. */
  readonly records: readonly LogRecord[];
  /** What `portico ctl status` says of it: sessions, bytes, refusals, errors. */
  readonly status: ServiceStatus;
  /**
   * A peer: a connection, a datagram socket, or a client of HTTP. It comes from 127.0.0.1, when nothing else
   * is said, from a port of its own.
   *
   * @throws Error for a transport that the service does not listen on.
   */
  connect(settings?: ConnectSettings): Peer;
  /** HTTP: one request, as `fetch` of the platform takes it, from a client of its own. */
  fetch(path: string, init?: RequestSettings & { readonly from?: string }): Promise<Response>;
  /** Waits until nothing happens any more by itself. What waits for a clock, or for something outside, is not seen. */
  settle(): Promise<void>;
  /**
   * Stops it as a server does: lets nobody in any more, calls `retire`, waits for sessions up to `drain` of
   * its clock, 0 when silent, cuts the rest, and calls the plugin's `stop`. Resolves then; {@link close} is
   * still due.
   */
  stop(drain?: Duration): Promise<void>;
  /**
   * Lets its peers go, and stops it. May be called twice.
   *
   * @throws AssertionError when a session does not end though its peer has gone, or the plugin's `stop` does
   * not come back.
   */
  close(): Promise<void>;
}
