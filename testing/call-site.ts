/** Where a test has called something: a failure that comes later shows that line. */
export interface CallSite {
  readonly stack?: string;
}

/** @param called the function that the test has called: it and what it calls are left out. */
export function callSite(called: (...given: never[]) => unknown): CallSite {
  const site: CallSite = {};
  Error.captureStackTrace?.(site, called);
  return site;
}

/** The same error, which says that it comes from there. */
export function cameFrom<Failure extends Error>(failure: Failure, { stack }: CallSite): Failure {
  const frames = framesOf(stack);
  if (frames !== "") failure.stack = `${failure.name}: ${failure.message}${frames}`;
  return failure;
}

/** The lines of a stack without its head. */
function framesOf(stack: string | undefined): string {
  const start = stack?.search(/\n\s+at /) ?? -1;
  return start < 0 ? "" : stack!.slice(start);
}
