/** How a framer says, to whoever finds it in a session's state, how many bytes it keeps of a frame. */
export const KEPT: unique symbol = Symbol("kept");

/** What the framers of a session's state keep: it is one, or has some as properties. */
export function keptOf(state: unknown): number {
  if (typeof state !== "object" || state === null) return 0;
  const found = ofOne(state);
  if (found !== undefined) return found;
  let kept = 0;
  for (const key of Object.keys(state)) {
    const value = (state as Record<string, unknown>)[key];
    if (typeof value === "object" && value !== null) kept += ofOne(value) ?? 0;
  }
  return kept;
}

function ofOne(value: object): number | undefined {
  return (value as { readonly [KEPT]?: number })[KEPT];
}
