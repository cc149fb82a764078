/** The smallest number from 1 on that no worker has: see {@link StartContext.worker}. */
export function freeNumber(workers: Iterable<{ readonly number: number }>): number {
  const taken = new Set<number>();
  for (const { number } of workers) taken.add(number);
  let free = 1;
  while (taken.has(free)) free++;
  return free;
}
