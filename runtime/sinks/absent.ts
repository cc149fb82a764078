import { type PorticoError, toPorticoError } from "../core/errors.ts";
import type { LogRecord, Sink } from "../core/record.ts";

/** In the place of an optional sink that could not be opened: from when it can be, it is that one. */
export class Absent implements Sink {
  readonly #open: () => Promise<Sink>;
  #sink: Sink | undefined = undefined;
  /** Records that there was nobody for. */
  #missed = 0;

  /** @param open tries it. */
  constructor(open: () => Promise<Sink>) {
    this.#open = open;
  }

  get missing(): boolean {
    return this.#sink === undefined;
  }

  /** Tries it again. @throws PorticoError that says why it is not there. */
  async find(): Promise<void> {
    try {
      this.#sink ??= await this.#open();
    } catch (error) {
      throw failureOf(error);
    }
  }

  write(record: LogRecord): void {
    if (this.#sink === undefined) this.#missed++;
    else this.#sink.write(record);
  }

  flush(): Promise<void> {
    return Promise.resolve(this.#sink?.flush?.());
  }

  reopen(): void {
    this.#sink?.reopen?.();
  }

  dropped(): number {
    return this.#missed + (this.#sink?.dropped?.() ?? 0);
  }

  async close(): Promise<void> {
    const sink = this.#sink;
    if (sink !== undefined) await (sink.close === undefined ? sink.flush?.() : sink.close());
  }
}

/** Why a sink cannot be opened. */
export function failureOf(error: unknown): PorticoError {
  return toPorticoError(error, "SINK_FAILED", "config");
}
