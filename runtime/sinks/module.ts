/** Types of sinks that plugins provide. */
import { messageOf, PorticoError } from "../core/errors.ts";
import { isPromise } from "../core/hooks.ts";
import type { SinkPlan } from "../core/plan.ts";
import type { Sink } from "../core/record.ts";
import type { Flaw } from "../modules/flaw.ts";
import { nameOfObject, objectAt } from "../modules/object.ts";
import { loadDefault } from "../modules/plugin.ts";
import { show } from "../values/problem.ts";
import type { SinkDefinition } from "./define.ts";

/** How long the open of a sink may take, in ms; a plugin's start has as long when nobody says so. */
const OPEN = 10_000;

/**
 * Imports a type of sink, and checks that it is one; of a sink that is open already it makes one.
 *
 * @throws PorticoError PLUGIN_NOT_FOUND, PLUGIN_INVALID.
 */
export async function loadSink(
  { url, version }: NonNullable<SinkPlan["module"]>,
): Promise<SinkDefinition> {
  const object = objectAt(url) as Partial<Sink & SinkDefinition> | undefined;
  if (object !== undefined && object.open === undefined) {
    return { name: nameOfObject(object) ?? "sink", open: () => object as Sink | Sink["write"] };
  }
  return (await loadDefault(url, flaw, version)).value as SinkDefinition;
}

function flaw(value: unknown): Flaw | undefined {
  const expected = wrongIn(value);
  return expected === undefined ? undefined : { expected, word: "export default" };
}

/** What is wrong with a default export; undefined for a type of sink. */
function wrongIn(value: unknown): string | undefined {
  const form = "export default defineSink({ name, open })";
  if (value === undefined) return `a default export: ${form}`;
  if (typeof value !== "object" || value === null) {
    return `${form}; its default export is ${show(value)}`;
  }
  const { name, open, options } = value as Partial<Record<keyof SinkDefinition, unknown>>;
  if (typeof name !== "string" || !/^[\w-]+$/.test(name)) {
    return `a sink with a "name" of letters, digits, - and _; it has ${show(name)}`;
  }
  if (typeof open !== "function") {
    return "start" in value
      ? `${form}; the plugin ${name} is no sink`
      : `a sink whose "open" is a function; it has ${show(open)}`;
  }
  const standard = (options as SinkDefinition["options"] | null)?.["~standard"];
  if (options !== undefined && typeof standard?.validate !== "function") {
    return `a sink whose "options" is a Standard Schema (valibot, zod, arktype …); it has ${
      show(options)
    }`;
  }
  return undefined;
}

/**
 * Opens a sink whose options its schema has made.
 *
 * @param limit how long that may take, in ms.
 * @throws PorticoError SINK_FAILED.
 */
export async function openModule(
  module: NonNullable<SinkPlan["module"]>,
  name: string,
  options: unknown,
  warn: (message: string) => void,
  limit: number = OPEN,
): Promise<Sink> {
  const failed = (why: string, cause?: unknown): PorticoError =>
    new PorticoError("SINK_FAILED", `the sink ${name} cannot be opened: ${why}`, {
      side: "config",
      cause,
    });
  const definition = await loadSink(module);
  let opened: unknown;
  try {
    opened = await inTime(definition.open(options, { folder: module.folder, warn }), limit);
  } catch (error) {
    throw failed(messageOf(error), error);
  }
  const sink = typeof opened === "function" ? { write: opened as Sink["write"] } : opened;
  if (typeof (sink as Partial<Sink> | null | undefined)?.write !== "function") {
    throw failed(`open has to return a function, or an object with write; it gave ${show(opened)}`);
  }
  return guard(sink as Sink, name, warn);
}

/** A promise that never comes back must not keep a server from starting. */
async function inTime<Value>(opening: Value | Promise<Value>, limit: number): Promise<Value> {
  if (!isPromise(opening)) return opening;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    const giveUp = (): void => reject(new Error(`open did not come back within ${limit} ms`));
    timer = setTimeout(giveUp, limit);
  });
  try {
    return await Promise.race([opening, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** A plugin may forget that a sink answers at once, and that nobody catches what its promises throw. */
function guard(sink: Sink, name: string, warn: (message: string) => void): Sink {
  let failure: { readonly error: unknown } | undefined;
  const caught = (error: unknown): void => {
    failure ??= { error };
  };
  const last = async (end: () => Promise<void> | undefined): Promise<void> => {
    try {
      await end();
    } catch (error) {
      warn(`the sink ${name} did not end well: ${messageOf(error)}`);
    }
  };
  return {
    write(record) {
      if (failure !== undefined) throw failure.error;
      const answer: unknown = sink.write(record);
      if (answer !== undefined && isPromise(answer)) answer.catch(caught);
    },
    flush: () => last(() => sink.flush?.()),
    reopen: () => sink.reopen?.(),
    dropped() {
      try {
        return sink.dropped?.() ?? 0;
      } catch {
        return 0;
      }
    },
    close: () => last(() => sink.close === undefined ? sink.flush?.() : sink.close()),
  };
}
