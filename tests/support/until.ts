/** Waiting in tests: always for something that has a name, and never for ever. */

/**
 * How long anything may take that a test waits for, in ms, on a machine that runs other tests meanwhile: it
 * is there for what hangs, not for what is slow.
 */
const PATIENCE = 30_000;

/**
 * Resolves as soon as `condition` holds; it is looked at in every turn of the event loop.
 *
 * @param progress whatever changes while there is a way to go: the limit begins anew whenever it has.
 */
export async function until(
  what: string | (() => string),
  condition: () => boolean,
  limit: number = PATIENCE,
  progress: () => unknown = () => undefined,
): Promise<void> {
  let [seen, end] = [progress(), performance.now() + limit];
  for (let turns = 0; !condition(); turns++) {
    const now = progress();
    if (now !== seen) [seen, end] = [now, performance.now() + limit];
    if (performance.now() > end) {
      throw new Error(`waited ${limit} ms for ${typeof what === "string" ? what : what()}`);
    }
    await new Promise<void>((resolve) => {
      if (turns < 50) setImmediate(resolve);
      else setTimeout(resolve, 1);
    });
  }
}

/** What `promise` resolves with, or an error that names what was waited for. */
export async function within<Value>(
  what: string,
  promise: Promise<Value>,
  limit: number = PATIENCE,
): Promise<Value> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`waited ${limit} ms for ${what}`)), limit);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Lets pass as many turns of the event loop as anything in memory can need. */
export async function turns(count = 3): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise<void>((resolve) => setTimeout(resolve, 0));
}

/** A promise, and what settles it. */
export function gate(): { readonly passed: Promise<void>; open(): void; fail(error: Error): void } {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  return { passed: promise, open: resolve, fail: reject };
}
