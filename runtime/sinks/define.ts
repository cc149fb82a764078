import type { StandardSchema } from "../core/plugin.ts";
import type { Sink } from "../core/record.ts";

/** What a sink of a plugin is given beside its options. */
export interface SinkContext {
  /** The manifest's folder: where relative paths start. */
  readonly folder: string;
  /** Tells the operator of a trouble, on standard error: once for each trouble, not for each record. */
  readonly warn: (message: string) => void;
}

/** A type of sink: the default export of a module that a manifest names as one. */
export interface SinkDefinition<Options = unknown> {
  /** Letters, digits, - and _. */
  readonly name: string;
  /** Checks the options: what stands beside `type` and the policies. Without it there must be none. */
  readonly options?: StandardSchema<Options>;
  /**
   * Opens a sink, once for all references with the same options. A function alone is a sink that keeps
   * nothing. What it throws stops the start, unless the reference is `optional`.
   */
  open(
    options: Options,
    context: SinkContext,
  ): Sink | Sink["write"] | Promise<Sink | Sink["write"]>;
}

/**
 * Defines a type of sink. `write` gets records that other sinks share: they are not to be changed, and
 * it returns at once. A sink whose `write` throws is switched off and reported.
 */
export function defineSink<Options = Record<never, never>>(
  definition: SinkDefinition<Options>,
): SinkDefinition<Options> {
  return definition;
}
