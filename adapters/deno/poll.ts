/**
 * Giving way to other sockets. What the kernel has ready at once (a read, a write, an accept) comes back in a
 * microtask, and a `setImmediate` in the next round of the event loop, of which there are sixty for each time
 * that Deno asks the kernel who else is ready. It asks when it has nothing left to do: so this waits for a
 * byte that goes through a pair of sockets.
 */
import { setImmediate, setTimeout } from "node:timers";

/** How often it is asked at most, in ms: each time costs as much as a small message. Between, rounds have to do. */
const PERIOD = 1;

/** A pair that nobody has used for so many ms is closed; one that could not be had is tried for again. */
const IDLE = 1000;

const round = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** @throws Error with neither of them left: the last descriptor may have gone to the first. */
async function connectedPair(): Promise<readonly [Deno.UnixConn, Deno.UnixConn]> {
  const path = `\0portico-${crypto.randomUUID()}`;
  using listener = Deno.listen({ transport: "unix", path });
  const connecting = Deno.connect({ transport: "unix", path });
  try {
    return await Promise.all([listener.accept(), connecting]);
  } catch (error) {
    void connecting.then((end) => end.close(), () => {});
    throw error;
  }
}

/** Of this thread. All who ask while one is under way share it. */
class Poll {
  /** What is written to one can be read from the other. */
  #pair: readonly [Deno.UnixConn, Deno.UnixConn] | undefined = undefined;
  #next: Promise<void> | undefined = undefined;
  #due = 0;
  #used = false;
  readonly #byte: Uint8Array<ArrayBuffer> = new Uint8Array(1);

  next(): Promise<void> {
    return this.#next ??= this.#pass();
  }

  async #pass(): Promise<void> {
    if (performance.now() < this.#due) await round();
    else {
      // To connect them takes as long.
      await (this.#pair === undefined ? this.#open() : this.#ask(this.#pair));
      this.#due = performance.now() + (this.#pair === undefined ? IDLE : PERIOD);
    }
    this.#next = undefined;
  }

  async #ask([from, to]: readonly [Deno.UnixConn, Deno.UnixConn]): Promise<void> {
    this.#used = true;
    try {
      // It finds nothing to read yet, so it waits for the kernel to tell.
      await Promise.all([to.read(this.#byte), from.write(this.#byte)]);
    } catch {
      this.#close();
    }
  }

  /** Without permission, Linux or descriptors rounds have to do. */
  async #open(): Promise<void> {
    for (const name of ["read", "write"] as const) {
      // A person at the terminal would be asked for it.
      if (Deno.permissions.querySync({ name }).state !== "granted") return round();
    }
    try {
      this.#pair = await connectedPair();
      this.#closeLater();
    } catch {
      await round();
    }
  }

  #closeLater(): void {
    setTimeout(() => {
      const used = this.#used || this.#next !== undefined;
      this.#used = false;
      if (used) this.#closeLater();
      else this.#close();
    }, IDLE).unref();
  }

  #close(): void {
    const pair = this.#pair;
    this.#pair = undefined;
    this.#due = 0;
    for (const end of pair ?? []) end.close();
  }
}

const poll = new Poll();

/** Resolves in another round, in which Deno has asked the kernel about its sockets if it has not lately. */
export function nextPoll(): Promise<void> {
  return poll.next();
}
