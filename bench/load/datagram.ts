/** Connected UDP sockets, each with `depth` datagrams under way. */
import { type Count, Lap, type Traffic } from "./lap.ts";
import { message, type Shape, type Target } from "./traffic.ts";

/** One socket: its datagrams without an answer, and how many answers this turn has brought. */
interface State {
  socket: Bun.udp.ConnectedSocket<"uint8array">;
  unread: number;
  answers: number;
}

export class DatagramTraffic implements Traffic {
  readonly #target: Target;
  readonly #shape: Shape;
  readonly #batch: Uint8Array[];
  readonly #states: State[] = [];
  #lap: Lap | undefined;

  constructor(target: Target, shape: Shape) {
    this.#target = target;
    this.#shape = shape;
    this.#batch = Array.from({ length: shape.depth }, () => message(shape.size));
  }

  async open(): Promise<void> {
    for (let i = 0; i < this.#shape.sockets; i++) {
      const state: Partial<State> = { unread: 0, answers: 0 };
      state.socket = await Bun.udpSocket({
        binaryType: "uint8array",
        connect: { hostname: "127.0.0.1", port: this.#target.port },
        socket: {
          data: (_, bytes) => this.#answer(state as State, bytes.length),
          error: (...given: unknown[]) => this.#lap?.fail(new Error(String(given))),
        },
      });
      this.#states.push(state as State);
    }
  }

  /** Answers of one turn are asked again together, with one system call: the generator has to be quick. */
  #answer(state: State, length: number): void {
    const lap = this.#lap;
    if (lap === undefined) return;
    if (length !== this.#shape.size) {
      return lap.fail(new Error(`a datagram of ${length} bytes came back`));
    }
    lap.messages++;
    state.unread--;
    if (!lap.over) {
      if (state.answers++ === 0) queueMicrotask(() => this.#ask(state));
    } else if (state.unread === 0 && state.answers === 0) lap.done();
  }

  #ask(state: State): void {
    const count = state.answers;
    state.answers = 0;
    this.#send(state, count);
  }

  #send(state: State, count: number): void {
    state.unread += count;
    if (count === 1) state.socket.send(this.#batch[0] as Uint8Array);
    else state.socket.sendMany(this.#batch.slice(0, count));
  }

  async run(ms: number): Promise<Count> {
    this.#lap = new Lap(this.#states.length, ms);
    for (const state of this.#states) this.#send(state, this.#shape.depth);
    return await this.#lap.count;
  }

  close(): void {
    this.#lap = undefined;
    for (const { socket } of this.#states) socket.close();
  }
}
