/** Light clients of line protocols: the harness itself is the client, since each answer costs the server much. */
import { connect, type NetConnectOpts, type Socket } from "node:net";

const PATIENCE = 10_000;

/** One connection to a server that answers each line with one. */
export class Line {
  readonly #socket: Socket;
  #text = "";
  #waiting: PromiseWithResolvers<string> | undefined;
  #error: Error | undefined;

  /** @param to a TCP port of this machine, or the path of a Unix socket. */
  constructor(to: number | string) {
    const way: NetConnectOpts = typeof to === "string"
      ? { path: to }
      : { port: to, host: "127.0.0.1", noDelay: true };
    const socket = this.#socket = connect(way);
    socket.setEncoding("latin1");
    socket.setTimeout(PATIENCE, () => socket.destroy(new Error("no answer")));
    socket.on("error", (error) => this.#error = error);
    socket.on("close", () => {
      this.#error ??= new Error("the connection was closed without an answer");
      this.#waiting?.reject(this.#error);
    });
    socket.on("data", (text: string) => {
      this.#text += text;
      const end = this.#text.indexOf("\n");
      if (end < 0) return;
      const answer = this.#text.slice(0, end);
      this.#text = this.#text.slice(end + 1);
      this.#waiting?.resolve(answer);
    });
  }

  /** One question at a time. @throws when the connection is refused or lost. */
  ask(text: string): Promise<string> {
    if (this.#error !== undefined) return Promise.reject(this.#error);
    this.#waiting = Promise.withResolvers<string>();
    this.#socket.write(text);
    return this.#waiting.promise;
  }

  close(): void {
    this.#socket.destroy();
  }
}

/** Asks on a connection of its own. */
export async function ask(to: number | string, text: string): Promise<string> {
  const line = new Line(to);
  try {
    return await line.ask(text);
  } finally {
    line.close();
  }
}

/** The worker that an answer of `examples/workers` names. @throws when it names none. */
export function worker(answer: string): string {
  const found = /process (\d+) thread (\d+)/.exec(answer);
  if (found === null) throw new Error(`an answer names no worker: ${answer}`);
  return `${found[1]}/${found[2]}`;
}

/** Counts by name. */
export function tally(names: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  return counts;
}
