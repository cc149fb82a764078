/** How hooks are called, and what is said of those that fail. */
import { objectWith, wrongType } from "./arguments.ts";
import { type Clock, SYSTEM_CLOCK, type Timer } from "./clock.ts";
import { isPorticoError, messageOf, PorticoError } from "./errors.ts";
import { placeOf } from "./frames.ts";
import type { Log } from "./log.ts";
import { plainValue } from "./plain.ts";
import { checkHooks } from "./hook-table.ts";
import type { Hooks, Logger } from "./plugin.ts";
import type { Fields, Level } from "./record.ts";

/** Whether a hook's answer has to be waited for. */
export function isPromise<Value>(value: Value | Promise<Value>): value is Promise<Value> {
  return typeof (value as { then?: unknown } | null | undefined)?.then === "function";
}

/** What a hook threw, as an error with a side: the plugin's, unless it says otherwise. */
export function hookError(thrown: unknown): PorticoError {
  return isPorticoError(thrown)
    ? thrown
    : new PorticoError("HOOK_FAILED", messageOf(thrown), { cause: thrown });
}

/** Whether both are the same that was thrown: the hook `error` may throw again what it was given. */
export function isSame(one: PorticoError, other: PorticoError | undefined): boolean {
  return one === other || (one.cause !== undefined && one.cause === other?.cause);
}

/** What a plugin's own awaits throw when their session has ended under them. */
export function isOver(thrown: unknown): boolean {
  if (isPorticoError(thrown)) return thrown.code === "SESSION_CLOSED" || thrown.side === "peer";
  try {
    return thrown instanceof DOMException && thrown.name === "AbortError";
  } catch {
    return false;
  }
}

/** Fields of a record that say what it is and who speaks. */
const RESERVED: readonly string[] = ["time", "level", "event", "service", "session", "text"];

/**
 * Fields that a plugin has named. One of the reserved names gets a `_` behind it: nobody can speak for
 * another. An error in the place of fields is the field `error`, anything else `fields`. Never throws.
 */
export function ownFields(fields: unknown, more: readonly string[] = []): Fields {
  if (fields === undefined || fields === null) return {};
  try {
    if (fields instanceof Error) return { error: plainValue(fields) };
    if (typeof fields !== "object") return { fields: plainValue(fields) };
    return Object.fromEntries(
      Object.keys(fields).map((name) => {
        const taken = RESERVED.includes(name) || more.includes(name);
        return [taken ? `${name}_` : name, valueOf(fields, name)];
      }),
    );
  } catch {
    return { fields: plainValue(fields) };
  }
}

/** A getter may throw: that is no reason to lose the other fields. */
function valueOf(fields: object, name: string): unknown {
  try {
    return plainValue((fields as Record<string, unknown>)[name]);
  } catch {
    return "[unreadable]";
  }
}

/** What `verify` has answered. @throws TypeError for what is no answer: a guard must not fail open. */
export function verdict(answer: unknown): boolean {
  if (typeof answer === "boolean") return answer;
  throw wrongType("the answer of verify", "true or false", answer);
}

/** What `take` has answered, as fields. @throws TypeError for what are none. */
export function takenFields(fields: unknown): Fields {
  if (fields === undefined) return {};
  objectWith("the answer of take", "an object of fields, or nothing,", fields);
  return ownFields(fields, ["durationMs", "reason"]);
}

/** A hook's answer when it was looked at; of a promise that is later. @throws what `look` throws. */
export function checkAnswer<Value, Checked>(
  answer: Value | Promise<Value>,
  look: (value: Value) => Checked,
): Checked | Promise<Checked> {
  return isPromise(answer) ? Promise.resolve(answer).then(look) : look(answer);
}

/** Makes the plugin's own log. */
export function makeLogger(log: Log, service: string, session?: number): Logger {
  const say = (level: Level, text: string, fields?: Fields): void => {
    if (!log.wants(level, "log", session)) return;
    log.emit(level, "log", {
      service,
      ...(session !== undefined && { session }),
      // A plugin in JavaScript may give anything.
      text: plainValue(text),
      ...ownFields(fields),
    });
  };
  return {
    debug: (text, fields) => say("debug", text, fields),
    info: (text, fields) => say("info", text, fields),
    warn: (text, fields) => say("warn", text, fields),
    error: (text, fields) => say("error", text, fields),
  };
}

/** Runs `start`, with its deadline. @throws PorticoError START_FAILED, START_TIMEOUT, PLUGIN_INVALID. */
export async function startPlugin(
  plugin: string,
  start: () => unknown,
  limit: number,
  clock: Clock = SYSTEM_CLOCK,
): Promise<Hooks<unknown>> {
  let timer: Timer | undefined;
  const late = new Promise<never>((_, reject) => {
    if (limit === Infinity) return;
    timer = clock.setTimeout(() => {
      const text = `the start of plugin ${
        JSON.stringify(plugin)
      } did not return within ${limit} ms`;
      reject(new PorticoError("START_TIMEOUT", text));
    }, limit);
  });
  try {
    return checkHooks(await Promise.race([start(), late]), plugin);
  } catch (error) {
    if (isPorticoError(error)) throw error;
    const at = placeOf(error);
    const place = at === undefined ? "" : `, at ${at}`;
    const text = `the start of plugin ${JSON.stringify(plugin)} failed: ${
      messageOf(error)
    }${place}`;
    throw new PorticoError("START_FAILED", text, { cause: error, at });
  } finally {
    clock.clear(timer);
  }
}
