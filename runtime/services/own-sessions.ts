/**
 * The sessions that a plugin opens itself, by connecting and by listening at run time. Most plugins open
 * none: a process that serves one session loads what it takes when it is asked for.
 */
import type { SessionAdapter } from "../core/descriptors.ts";
import type { RunTimeInput, RunTimeListeners } from "../core/listening.ts";
import type { Outgoing, OutgoingInput } from "../core/outgoing.ts";
import type { StartContext } from "../core/plugin.ts";

export class OwnSessions {
  readonly #input: RunTimeInput & OutgoingInput;
  readonly #adapter: SessionAdapter;
  #outgoing: Promise<Outgoing> | undefined = undefined;
  #listeners: Promise<RunTimeListeners> | undefined = undefined;
  #retiring = false;
  /** Nothing is opened any more. */
  #drained = false;
  #closed = false;

  constructor(input: RunTimeInput & OutgoingInput, adapter: SessionAdapter) {
    this.#input = input;
    this.#adapter = adapter;
  }

  /** Resolves when what a plugin has looked at so far is there, so that nobody has to wait for it later. */
  async ready(): Promise<void> {
    await Promise.all([this.#outgoing, this.#listeners]);
  }

  /** See {@link StartContext.connect}. A plugin that looks at it will connect: it is begun to load. */
  get connect(): StartContext<unknown>["connect"] {
    this.#connecting().catch(() => {});
    return this.#connect;
  }

  /** See {@link StartContext.listen}; as {@link connect}. */
  get listen(): StartContext<unknown>["listen"] {
    this.#listening().catch(() => {});
    return this.#listen;
  }

  readonly #connect: StartContext<unknown>["connect"] = async (...words) =>
    await (await this.#connecting()).connect(...words);

  readonly #listen: StartContext<unknown>["listen"] = async (...words) =>
    await (await this.#listening()).listen(...words);

  #connecting(): Promise<Outgoing> {
    return this.#outgoing ??= import("../core/outgoing.ts").then(({ Outgoing }) => {
      // Whom it connects to itself is nobody to be shut out.
      const {
        join: _,
        totals: _totals,
        counted: _counted,
        offended: _offended,
        metering: _metering,
        handshakes: _handshakes,
        certificates: _certificates,
        ...input
      } = this.#input;
      const made = new Outgoing(input, this.#adapter);
      if (this.#drained) void made.drain(0);
      return made;
    }).catch((error: unknown) => {
      // For want of descriptors, perhaps: who asks later may have them.
      this.#outgoing = undefined;
      throw error;
    });
  }

  #listening(): Promise<RunTimeListeners> {
    return this.#listeners ??= import("../core/listening.ts").then(({ RunTimeListeners }) => {
      const made = new RunTimeListeners(this.#input, this.#adapter);
      made.retire(this.#retiring);
      if (this.#closed) void made.close();
      return made;
    }).catch((error: unknown) => {
      this.#listeners = undefined;
      throw error;
    });
  }

  /** See {@link Outgoing.drain}. */
  async drain(limit: number): Promise<void> {
    this.#drained = true;
    await (await this.#outgoing?.catch(() => undefined))?.drain(limit);
  }

  /** See {@link RunTimeListeners.retire}. */
  retire(on: boolean): void {
    this.#retiring = on;
    this.#listeners?.then((listeners) => listeners.retire(on), () => {});
  }

  /** See {@link RunTimeListeners.cut}. */
  async cut(): Promise<void> {
    await (await this.#listeners?.catch(() => undefined))?.cut();
  }

  /** See {@link RunTimeListeners.close}. */
  async close(): Promise<void> {
    this.#closed = true;
    await (await this.#listeners?.catch(() => undefined))?.close();
  }
}
