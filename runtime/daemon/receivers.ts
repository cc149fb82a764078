/** Whom connections are handed to that one service has accepted for another, while services come and go. */
import type { Host, Manner } from "../services/contract.ts";
import { nameOf, type ServiceEntry } from "./entry.ts";

type Entries = ReadonlyMap<string, ServiceEntry>;

/**
 * See {@link Host.receiver}.
 *
 * @param fresh those that a change has started, until it is made.
 * @param leaving those that were replaced, in that order, until their sessions have ended.
 */
export function receivers(
  entries: Entries,
  fresh: () => Entries,
  leaving: ReadonlyMap<ServiceEntry, unknown>,
): NonNullable<Host["receiver"]> {
  return (name, held) => {
    const now = entries.get(name) ?? fresh().get(name);
    if (held === undefined || now === undefined || takes(now, held)) return now?.running.reception;
    const before = [...leaving.keys()].filter((entry) => nameOf(entry.ready) === name);
    const other = [...before, fresh().get(name)].findLast((entry) => entry && takes(entry, held));
    return (other ?? now).running.reception;
  };
}

/**
 * Has services leave that were replaced or removed. One whose successor needs descriptors stays until nobody leaves
 * any more who has accepted connections for it, and read of them.
 */
export function leaveInOrder(
  leave: readonly (readonly [string, ServiceEntry])[],
  fresh: Entries,
  go: (entry: ServiceEntry, senders?: Promise<unknown>) => Promise<void>,
): void {
  const sent = Promise.withResolvers<unknown>();
  const left = leave.map(([name, entry]) => {
    const next = fresh.get(name);
    const last = next !== undefined &&
      MANNERS.some((manner) => takes(entry, manner) && !takes(next, manner));
    return go(entry, last ? sent.promise : undefined);
  });
  sent.resolve(Promise.all(left.filter((_, at) => leave[at]![1].ready.plan.match !== undefined)));
}

const MANNERS: readonly Manner[] = [false, true].flatMap((tls) => [
  { tls, unix: false },
  { tls, unix: true },
]);

function takes({ running }: ServiceEntry, manner: Manner): boolean {
  return running.reception?.takes(manner) === true;
}
