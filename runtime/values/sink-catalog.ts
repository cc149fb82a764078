/**
 * What a manifest has to know of sinks, and `sinks/` has: neither of the two imports the other, and
 * whoever joins them (the daemon, the commands, the script that makes the JSON Schema) hands it over.
 */
import type { BaseIssue, GenericSchema } from "valibot";
import type { SinkPlan } from "../core/plan.ts";
import type { Plugin } from "../core/plugin.ts";

/** A sink's options, completed by the schema of its type; or what is wrong with them. */
export type SinkCheck =
  | { readonly options: SinkPlan["options"] }
  | { readonly issues: readonly BaseIssue<unknown>[] };

/** The types of sinks. */
export interface SinkCatalog {
  /** By the name of each type that comes along: what it takes beside `type` and the policies. */
  readonly schemas: Readonly<Record<string, GenericSchema>>;
  /**
   * Checks the options of a sink of one of these types, and completes them.
   *
   * @param absolute resolves a path of the manifest; it is given each path among the options.
   */
  check(
    sink: Pick<SinkPlan, "type" | "options">,
    absolute: (path: string) => string,
  ): SinkCheck;
  /**
   * Imports a type that a plugin provides. Its options are checked by its own schema.
   *
   * @throws PorticoError PLUGIN_NOT_FOUND, PLUGIN_INVALID.
   */
  load(module: NonNullable<SinkPlan["module"]>): Promise<Pick<Plugin, "name" | "options">>;
}
