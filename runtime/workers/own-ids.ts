/** How many numbers each worker has for the sessions that its plugin opens itself. */
const OWN_IDS = 2 ** 24;

/** Workers that this process has started, of all services. */
let started = 0;

/** The first of the numbers of one more worker. */
export function ownIds(): number {
  return ++started * OWN_IDS;
}
