import { type PorticoError, toPorticoError } from "../core/errors.ts";
import type { LogRecord, Sink } from "../core/record.ts";

/** An optional sink that could not be opened: it counts what it misses until {@link open} succeeds. */
export class OptionalSink implements Sink {
  readonly #open: () => Promise<Sink>;
  #sink: Sink | undefined = undefined;
  /** Records that came while it was not open. */
  #missed = 0;

  /** @param open opens the sink itself. */
  constructor(open: () => Promise<Sink>) {
    this.#open = open;
  }

  get missing(): boolean {
    return this.#sink === undefined;
  }

  /** Tries to open it again; does nothing when it is open. @throws PorticoError that says why it cannot be. */
  async open(): Promise<void> {
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
