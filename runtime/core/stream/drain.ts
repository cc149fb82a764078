import type { StreamSession } from "./session.ts";
import type { Deadlines } from "./deadlines.ts";

/** How long hooks may take to come back after their sessions were closed, in ms. */
export const LAST_WORDS = 1000;

/**
 * Lets sessions end: those that wait for a turn are refused, those that are served have `limit` ms,
 * then their `signal` aborts with reason `drain` and they are closed, with what was written sent.
 *
 * Resolves when none is left, when newcomers are let in again meanwhile, or when the hooks of those that are closed do not come back: there is
 * no way to stop them.
 */
export async function drainSessions(
  sessions: Deadlines,
  refuse: (waiting: StreamSession) => void,
  limit: number,
  reopened: () => boolean = () => false,
): Promise<void> {
  sessions.forEach((session) => {
    if (session.waits) refuse(session);
  });
  if (await sessions.empty(limit) || reopened()) return;
  sessions.forEach((session) => {
    session.reason ??= "drain";
    session.flush();
    session.kill("drain", true);
  });
  await sessions.empty(LAST_WORDS);
  sessions.stop();
}
