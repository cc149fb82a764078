/** What a test of a plugin is given: a service, and peers that it plays. */
import type { Address } from "../runtime/core/endpoint.ts";
import type { LogRecord } from "../runtime/core/record.ts";
import type { Data } from "./bytes.ts";

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
