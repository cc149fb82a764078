/** One question to one name server: over UDP from a port of its own, over TCP what does not fit. */
import type { Adapter, Connection, DialedSocket, StreamTable } from "../core/contract.ts";
import { messageOf, PorticoError } from "../core/errors.ts";
import { type Answer, encodeQuestion, readAnswer } from "./message.ts";

/** A name server. */
export interface Server {
  readonly host: string;
  readonly port: number;
}

/** What is asked for. */
export interface Question {
  readonly name: string;
  readonly type: number;
}

export type Net = Pick<Adapter, "connect" | "dial">;

/**
 * Asks one server once.
 *
 * @param ms how long it may take.
 * @throws PorticoError when there was no answer.
 */
export async function exchange(
  net: Net,
  server: Server,
  question: Question,
  ms: number,
  signal: AbortSignal,
): Promise<Answer> {
  const id = crypto.getRandomValues(new Uint16Array(1))[0]!;
  const asked = encodeQuestion(id, question.name, question.type);
  const read = (bytes: Uint8Array): Answer | undefined =>
    readAnswer(bytes, id, question.name, question.type);
  const end = performance.now() + ms;
  const answer = await overUdp(net, server, asked, read, ms, signal);
  if (!answer.truncated) return answer;
  return await overTcp(net, server, asked, read, end - performance.now(), signal);
}

/** What settles an exchange, whichever comes first: an answer, a failure, the time, the end of the server. */
class Outcome {
  readonly #settled = Promise.withResolvers<Answer>();
  readonly answered: (answer: Answer) => void = this.#settled.resolve;
  readonly failed: (error: unknown) => void = this.#settled.reject;

  async wait(server: Server, ms: number, signal: AbortSignal): Promise<Answer> {
    const { host, port } = server;
    const late = (): void => {
      this.failed(new PorticoError("ETIMEDOUT", `${host} port ${port} does not answer`));
    };
    const ended = (): void => this.failed(new PorticoError("SESSION_CLOSED"));
    const timer = setTimeout(late, Math.max(0, ms));
    signal.addEventListener("abort", ended, { once: true });
    if (signal.aborted) ended();
    try {
      return await this.#settled.promise;
    } finally {
      clearTimeout(timer);
      signal.removeEventListener("abort", ended);
    }
  }
}

async function overUdp(
  net: Net,
  server: Server,
  asked: Uint8Array,
  read: (bytes: Uint8Array) => Answer | undefined,
  ms: number,
  signal: AbortSignal,
): Promise<Answer> {
  const outcome = new Outcome();
  let socket: DialedSocket | undefined;
  const { host, port } = server;
  const dialed = net.dial({ transport: "udp", host, port }, {
    datagram(_, bytes, from) {
      // Whoever else sends to this port has not been asked.
      if (from.port !== port) return;
      const answer = read(bytes);
      if (answer !== undefined) outcome.answered(answer);
    },
    failure: (_, error) => outcome.failed(error),
  });
  try {
    const answer = outcome.wait(server, ms, signal);
    answer.catch(() => {});
    socket = await dialed;
    socket.send(asked, socket.target);
    return await answer;
  } finally {
    void dialed.then((socket) => socket.close()).catch(() => {});
  }
}

async function overTcp(
  net: Net,
  server: Server,
  asked: Uint8Array,
  read: (bytes: Uint8Array) => Answer | undefined,
  ms: number,
  signal: AbortSignal,
): Promise<Answer> {
  const outcome = new Outcome();
  let connection: Connection | undefined;
  let received = new Uint8Array(0);
  const table: StreamTable = {
    open(opened) {
      connection = opened;
      const framed = new Uint8Array(2 + asked.length);
      new DataView(framed.buffer).setUint16(0, asked.length);
      framed.set(asked, 2);
      opened.write(framed);
    },
    data(_, chunk) {
      const grown = new Uint8Array(received.length + chunk.length);
      grown.set(received);
      grown.set(chunk, received.length);
      received = grown;
      if (received.length < 2) return;
      const size = received[0]! << 8 | received[1]!;
      if (received.length < 2 + size) return;
      const answer = read(received.subarray(2, 2 + size));
      if (answer === undefined) outcome.failed(new PorticoError("PROTOCOL_ERROR", "no DNS answer"));
      else outcome.answered(answer);
    },
    drain() {},
    end: () => outcome.failed(new PorticoError("UNEXPECTED_END")),
    close: (_, error) => outcome.failed(error ?? new PorticoError("UNEXPECTED_END")),
    failure: (error) => outcome.failed(error),
  };
  const { host, port } = server;
  const answer = outcome.wait(server, ms, signal);
  answer.catch(() => {});
  try {
    await net.connect({ transport: "tcp", host, port }, table, undefined, Math.max(1, ms));
    return await answer;
  } catch (error) {
    throw error instanceof PorticoError ? error : new PorticoError("ECONNRESET", messageOf(error));
  } finally {
    connection?.abort(true);
  }
}
