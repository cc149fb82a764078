/** What Deno has below what it documents. Any of it may be gone one day: whoever asks goes on without. */
export interface Internals {
  readonly core?: Core;
  /** It is there as soon as Node's `process` is. */
  readonly dispatchProcessExitEvent?: unknown;
}

export interface Core {
  /** Where a resource of Deno has its number. */
  readonly internalRidSymbol?: symbol;
  /** Resolves to the number of bytes, 0 at the end. */
  read?(resource: number, into: Uint8Array): Promise<number>;
  /** Resolves to the number of bytes that were taken. */
  write?(resource: number, bytes: Uint8Array): Promise<number>;
  setReportExceptionCallback?(callback: (thrown: unknown) => void): void;
}

export function internals(): Internals | undefined {
  const deno = Deno as unknown as { internal?: symbol; [key: symbol]: Internals | undefined };
  return deno.internal === undefined ? undefined : deno[deno.internal];
}
