/** The hook `retire`: the service drains, and whoever is served, or comes to be, has time to say goodbye. */
import { type Caller, callHook } from "../calls.ts";
import type { Hooks } from "../plugin.ts";
import type { Deadlines } from "./deadlines.ts";
import type { StreamSession } from "./session.ts";

export class Retiring {
  readonly #hook: Hooks["retire"];
  readonly #caller: Caller<StreamSession>;
  #on = false;

  constructor({ retire }: Hooks<unknown>, caller: Caller<StreamSession>) {
    this.#hook = retire;
    this.#caller = caller;
  }

  /** The service drains, or does not any more. */
  set(on: boolean, sessions: Deadlines): void {
    if (this.#on === on) return;
    this.#on = on;
    if (on && this.#hook !== undefined) sessions.forEach((session) => this.comes(session));
  }

  /** It is served from here on. */
  comes(session: StreamSession): void {
    const hook = this.#hook;
    if (!this.#on || hook === undefined || session.phase !== "served") return;
    callHook(this.#caller, session, () => hook(session));
  }
}
