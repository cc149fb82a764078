/** Records on their way to one who reads them over a control socket. */

/** Characters that may wait for a reader; what comes beyond is left out, and counted. */
const BACKLOG = 1024 * 1024;

/**
 * Takes records at once, whatever the reader does, and sends them as fast as it reads, each as a line
 * `{"record":…}`. One who reads too slowly is told how many it has missed, by a record where they were.
 */
export class RecordStream {
  readonly #send: (text: string) => Promise<void>;
  #waiting: string[] = [];
  #size = 0;
  #lost = 0;
  #sending: Promise<void> | undefined = undefined;

  /** @param send resolves when there is room for more. */
  constructor(send: (text: string) => Promise<void>) {
    this.#send = send;
  }

  /** @param json one record. */
  readonly take = (json: string): void => {
    if (this.#size + json.length > BACKLOG) {
      this.#lost++;
      return;
    }
    this.#tellLost();
    this.#push(json);
    // It waits for the turn's others.
    this.#sending ??= Promise.resolve().then(() => this.#pump()).finally(() => {
      this.#sending = undefined;
    });
    this.#sending.catch(() => {});
  };

  /** Resolves when all is sent. @throws when the reader has gone. */
  async flush(): Promise<void> {
    await this.#sending;
    await this.#pump();
  }

  #push(json: string): void {
    const line = `{"record":${json}}\n`;
    this.#waiting.push(line);
    this.#size += line.length;
  }

  async #pump(): Promise<void> {
    for (;;) {
      if (this.#waiting.length === 0) this.#tellLost();
      if (this.#waiting.length === 0) return;
      const text = this.#waiting.join("");
      this.#waiting = [];
      this.#size = 0;
      await this.#send(text);
    }
  }

  #tellLost(): void {
    const lost = this.#lost;
    if (lost === 0) return;
    this.#lost = 0;
    this.#push(JSON.stringify({
      time: new Date().toISOString(),
      level: "warn",
      event: "error",
      code: "SINK_FAILED",
      message: `${lost} ${
        lost === 1 ? "record was" : "records were"
      } left out: they are read too slowly`,
      side: "host",
      lost,
    }));
  }
}
