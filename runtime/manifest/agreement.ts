/** That the types which authors see, and the schema that checks what they write, say the same. */
import type * as v from "valibot";
import type {
  Manifest,
  ManifestDefaults,
  ManifestService,
  ManifestSink,
  PluginObject,
  SinkObject,
} from "./manifest.ts";
import type { manifest } from "./schema.ts";

/** The types without objects of a program, in whose place `objects.ts` puts texts. */
type Named<Value> = Value extends (infer Item)[] ? Named<Item>[]
  : Value extends PluginObject | SinkObject ? never
  : Value extends ManifestSink ? { [Key in keyof Value]: Key extends "type" ? string : Value[Key] }
  : Value;
type NamedIn<Value, Names = keyof Value> = {
  [Key in keyof Value]: Key extends Names ? Named<Value[Key]> : Value[Key];
};
interface NamedManifest extends Omit<Manifest, "plugins" | "sinks" | "defaults" | "services"> {
  plugins?: Record<string, string> | undefined;
  sinks?: NamedIn<NonNullable<Manifest["sinks"]>> | undefined;
  defaults?: NamedIn<ManifestDefaults, "log"> | undefined;
  services: Record<string, NamedIn<ManifestService, "log" | "log+=" | "log-=" | "plugin">>;
}

/** True as long as the schema takes what the types of `manifest.ts` say, and they say what it takes. */
type Agree<A, B> = [A, B] extends [B, A] ? true : false;
true satisfies Agree<v.InferInput<typeof manifest>, NamedManifest>;
