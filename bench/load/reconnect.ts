/**
 * A connection for each message: connect, ask, read the answer, close. The side that closes first, ours,
 * keeps the port for a second (TIME_WAIT, even where it may be used again): without a limit the laps would
 * measure the kernel's search for a free port.
 */
import { connect } from "./connect.ts";
import { type Count, Lap, type Traffic } from "./lap.ts";
import { message, type Shape, type Target } from "./traffic.ts";

interface State {
  unread: number;
}

/** Connections in one lap, and the milliseconds until their ports are free again. */
const MOST = 5_000;
const REST = 1_200;

export class ReconnectTraffic implements Traffic {
  readonly #target: Target;
  readonly #shape: Shape;
  readonly #bytes: Uint8Array;
  #ended = -REST;

  constructor(target: Target, shape: Shape) {
    this.#target = target;
    this.#shape = shape;
    this.#bytes = message(shape.size);
  }

  async open(): Promise<void> {}

  async run(ms: number): Promise<Count> {
    const wait = this.#ended + REST - performance.now();
    if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
    const lap = new Lap(this.#shape.sockets, ms);
    for (let i = 0; i < this.#shape.sockets; i++) {
      this.#repeat(lap).catch((error: Error) => lap.fail(error));
    }
    const count = await lap.count;
    this.#ended = performance.now();
    return count;
  }

  async #repeat(lap: Lap): Promise<void> {
    while (!lap.over) {
      await this.#once();
      if (++lap.messages >= MOST) lap.over = true;
    }
    lap.done();
  }

  /** The peer's end of the connection is waited for as well: only then has the server closed it. */
  async #once(): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const data = (socket: Bun.Socket<State>, chunk: Uint8Array): void => {
      if ((socket.data.unread -= chunk.length) === 0) socket.shutdown();
    };
    const close = (socket: Bun.Socket<State>): void => {
      if (socket.data.unread === 0) resolve();
      else reject(new Error(`a connection ended ${socket.data.unread} bytes too early`));
    };
    const state = { unread: this.#bytes.length };
    const socket = await connect<State>(this.#target, state, { data, close });
    socket.write(this.#bytes);
    await promise;
  }

  close(): void {}
}
