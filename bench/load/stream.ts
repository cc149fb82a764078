/** Connections that stay open, over TCP or a Unix socket. */
import { connect } from "./connect.ts";
import { type Count, Lap, type Traffic } from "./lap.ts";
import { message, type Shape, type Target } from "./traffic.ts";

/** One connection: what it still has to send and to receive of the messages under way. */
interface State {
  unsent: number;
  unread: number;
}

/** Connections that are asked for together; less than any listener's backlog. */
const AT_ONCE = 32;

export class StreamTraffic implements Traffic {
  readonly #target: Target;
  readonly #shape: Shape;
  readonly #bytes: Uint8Array;
  readonly #sockets: Bun.Socket<State>[] = [];
  #lap: Lap | undefined;

  constructor(target: Target, shape: Shape) {
    this.#target = target;
    this.#shape = shape;
    this.#bytes = new Uint8Array(shape.size * shape.depth);
    for (let i = 0; i < shape.depth; i++) this.#bytes.set(message(shape.size), i * shape.size);
  }

  async open(): Promise<void> {
    for (let left = this.#shape.sockets; left > 0; left -= AT_ONCE) {
      const batch = Array.from({ length: Math.min(left, AT_ONCE) }, () => this.#connect());
      this.#sockets.push(...await Promise.all(batch));
    }
  }

  #connect(): Promise<Bun.Socket<State>> {
    const fail = (error: Error) => this.#lap?.fail(error);
    return connect<State>(this.#target, { unsent: 0, unread: 0 }, {
      data: (socket, chunk) => {
        const lap = this.#lap;
        const left = socket.data.unread -= chunk.length;
        if (left > 0) return;
        if (left < 0 || lap === undefined) {
          return fail(new Error(`${-left} bytes more than were sent`));
        }
        lap.messages += this.#shape.depth;
        if (lap.over) lap.done();
        else this.#ask(socket);
      },
      drain: (socket) => this.#send(socket),
      close: () => fail(new Error("the server has closed a connection")),
    });
  }

  #ask(socket: Bun.Socket<State>): void {
    socket.data.unread = socket.data.unsent = this.#bytes.length;
    this.#send(socket);
  }

  #send(socket: Bun.Socket<State>): void {
    const { unsent } = socket.data;
    if (unsent === 0) return;
    const whole = unsent === this.#bytes.length;
    const sent = socket.write(whole ? this.#bytes : this.#bytes.subarray(-unsent));
    if (sent > 0) socket.data.unsent -= sent;
  }

  async run(ms: number): Promise<Count> {
    this.#lap = new Lap(this.#sockets.length, ms);
    for (const socket of this.#sockets) this.#ask(socket);
    return await this.#lap.count;
  }

  close(): void {
    this.#lap = undefined;
    for (const socket of this.#sockets) socket.terminate();
  }
}
