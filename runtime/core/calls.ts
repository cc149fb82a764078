/** How hooks of a session are called, and what follows when they fail. */
import { hookError, isPromise } from "./hooks.ts";
import type { Service } from "./service.ts";
import type { Gather } from "./stream/gather.ts";

/** How long hooks may take to come back after their sessions were closed, in ms. */
export const LAST_WORDS = 1000;

/** Whose hooks are called. */
export interface Caller<Session> {
  readonly gather: Gather;
  /** The hook threw, or its promise was rejected. */
  failed(session: Session, thrown: unknown): void;
  /** The hook has returned a promise. @returns by what it is known when it comes back. */
  left?(session: Session): number;
  /** It has been settled, and what follows from it is done. */
  back?(session: Session, call: number): void;
}

/**
 * Calls a hook: inside the gathering of writes, and followed at once by `well` with its answer, or
 * by `ill` when it failed; a hook that returns a promise is followed when that is settled.
 */
export function callHook<Session, Answer>(
  caller: Caller<Session>,
  session: Session,
  hook: () => Answer | Promise<Answer>,
  well?: (answer: Answer) => void,
  ill?: () => void,
): void {
  const { gather } = caller;
  gather.enter();
  let answer: Answer | Promise<Answer>;
  let later: boolean;
  try {
    answer = hook();
    later = isPromise(answer);
  } catch (error) {
    caller.failed(session, error);
    ill?.();
    return gather.leave();
  }
  if (later) follow(caller, session, answer as Promise<Answer>, well, ill);
  else well?.(answer as Answer);
  gather.leave();
}

/** Waits for what a hook returned, as {@link callHook} does. */
export function follow<Session, Answer>(
  caller: Caller<Session>,
  session: Session,
  promise: Promise<Answer>,
  well?: (answer: Answer) => void,
  ill?: () => void,
): void {
  const { gather } = caller;
  const call = caller.left?.(session) ?? 0;
  // Of anything else than a promise, `then` may be called once only, and may throw.
  Promise.resolve(promise).then((answer) => {
    gather.enter();
    well?.(answer);
    caller.back?.(session, call);
    gather.leave();
  }, (error) => {
    gather.enter();
    caller.failed(session, error);
    ill?.();
    caller.back?.(session, call);
    gather.leave();
  });
}

/**
 * Tells the hook `error` what another hook threw; the log, where the plugin has none. What `error`
 * throws itself is only reported.
 */
export function tellError<Session extends { readonly id: number }>(
  service: Service,
  caller: Caller<Session>,
  session: Session,
  thrown: unknown,
): void {
  const { hooks } = service;
  if (hooks.error === undefined) return service.report(hookError(thrown), session.id);
  service.countError(hookError(thrown));
  const reporter: Caller<Session> = {
    ...caller,
    failed: (_session, error) => service.report(hookError(error), session.id, error === thrown),
  };
  callHook(reporter, session, () => hooks.error!(session as never, thrown));
}
