/** Any connection as a stream of Node, for `node:tls` to go over: those that are a runtime's own, and those in memory. */
import { Duplex } from "node:stream";
import type { Connection, StreamTable } from "../../runtime/core/contract.ts";
import type { PorticoError } from "../../runtime/core/errors.ts";

type Done = (error?: Error | null) => void;

/** In bytes, each way. */
const HIGH_WATER = 64 * 1024;

/** What has still to go out when all is over, as an alert, is given so many ms. */
const LINGER = 1000;

/** The table of a connection, and what is above it. */
export class Wire implements StreamTable {
  readonly stream: Duplex;
  /** Nothing is left of the connection. */
  gone = false;
  /** Is called when it is, with what has become of it. */
  lost: (error: PorticoError | undefined) => void = () => {};
  readonly #connection: Connection;
  /** Nobody has asked for more. */
  #paused = true;
  #peerEnded = false;
  /** A write that waits for room, and a destroy that waits for the close. */
  #written: Done | undefined = undefined;
  #closed: Done | undefined = undefined;
  #timer: NodeJS.Timeout | undefined = undefined;

  /** @param connection whose callbacks come here from now on. */
  constructor(connection: Connection) {
    this.#connection = connection;
    this.stream = new Duplex({
      allowHalfOpen: true,
      highWaterMark: HIGH_WATER,
      read: () => this.#read(),
      write: (chunk: Uint8Array, _encoding, done) => this.#write(chunk, done),
      final: (done) => {
        connection.end();
        done();
      },
      destroy: (error, done) => this.#leave(() => done(error)),
    });
  }

  get pending(): number {
    return this.#connection.pending;
  }

  /** Drops what is pending, and closes. */
  abort(quiet: boolean): void {
    if (!this.gone) this.#connection.abort(quiet);
  }

  #read(): void {
    if (!this.#paused || this.gone) return;
    this.#paused = false;
    this.#connection.resume();
  }

  #write(chunk: Uint8Array, done: Done): void {
    if (this.gone || this.#connection.write(chunk)) done();
    else this.#written = done;
  }

  #leave(closed: Done): void {
    if (this.gone) return closed();
    this.#closed = closed;
    const connection = this.#connection;
    if (connection.pending === 0) return connection.abort(true);
    connection.end();
    this.#paused = false;
    connection.resume();
    this.#timer = setTimeout(() => this.abort(true), LINGER);
  }

  // From the connection.

  open(): void {}

  failure(): void {}

  data(connection: Connection, chunk: Uint8Array): boolean {
    if (this.stream.destroyed) return false;
    if (!this.stream.push(chunk)) {
      this.#paused = true;
      connection.pause();
    }
    return true;
  }

  drain(): void {
    const written = this.#written;
    this.#written = undefined;
    written?.();
  }

  end(): void {
    this.#peerEnded = true;
    if (!this.stream.destroyed) this.stream.push(null);
  }

  close(_connection: Connection, error: PorticoError | undefined): void {
    this.gone = true;
    clearTimeout(this.#timer);
    this.drain();
    const closed = this.#closed;
    // In order it has ended before, and who has not read all of it yet goes on.
    if (closed !== undefined) closed();
    else if (error !== undefined || !this.#peerEnded) this.stream.destroy();
    this.lost(error);
  }
}
