/**
 * The last words to those who are turned away: they are sent, with our end behind them, and whoever reads
 * and closes has gone by itself. Nobody is waited for who does not.
 */
import type { Clock, Timer } from "./clock.ts";
import type { Connection, StreamTable } from "./contract.ts";
import type { Descriptors, Origin } from "./descriptors.ts";

/** How long a peer has to read them and to close, in ms. */
const PATIENCE = 1000;
/** So many at once are waited for; of more, what the kernel takes at once is sent. */
const WAITED_FOR = 256;

export class Farewells {
  readonly #clock: Clock;
  /** When they are cut, in the order of that. */
  readonly #open: Map<Connection, number> = new Map();
  #timer: Timer | undefined = undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** They have been written, with our end. The connection's table has to tell {@link gone}, and to drop what still comes. */
  watch(connection: Connection): void {
    if (this.#open.size >= WAITED_FOR) return connection.abort(true);
    this.#open.set(connection, this.#clock.now() + PATIENCE);
    this.#timer ??= this.#clock.setTimeout(this.#look, PATIENCE);
  }

  /** Says it over a socket that nobody has read from; the descriptor is ours from here on. */
  sayTo(
    descriptors: Pick<Descriptors, "adopt">,
    fd: number,
    origin: Origin,
    bytes: Uint8Array,
  ): void {
    const table: StreamTable = {
      open: (connection) => {
        connection.write(bytes);
        connection.end();
        this.watch(connection);
      },
      data: () => false,
      drain() {},
      end() {},
      close: (connection) => this.gone(connection),
      failure() {},
    };
    // It may have gone by now, and been closed for it.
    descriptors.adopt(fd, origin, table, undefined).catch(() => {});
  }

  /** Nothing is left of a connection. */
  gone(connection: Connection): void {
    this.#open.delete(connection);
    if (this.#open.size > 0) return;
    this.#clock.clear(this.#timer);
    this.#timer = undefined;
  }

  readonly #look = (): void => {
    this.#timer = undefined;
    const now = this.#clock.now();
    for (const [connection, due] of this.#open) {
      if (due > now) {
        this.#timer = this.#clock.setTimeout(this.#look, due - now);
        return;
      }
      this.#open.delete(connection);
      connection.abort(true);
    }
  };
}
