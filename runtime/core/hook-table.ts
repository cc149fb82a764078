/** What `start` of a plugin has returned, looked at. */
import { PorticoError } from "./errors.ts";
import type { Hooks } from "./plugin.ts";

/** All hooks. */
export const HOOK_NAMES: readonly string[] = Object.keys(
  {
    verify: true,
    setup: true,
    data: true,
    end: true,
    drain: true,
    datagram: true,
    handle: true,
    take: true,
    fetch: true,
    retire: true,
    finish: true,
    error: true,
    stop: true,
  } satisfies Record<keyof Hooks, true>,
);

/** The hooks that say how a plugin reads. `take` may stand beside `data` or `handle`, which then serve datagrams. */
const FORMS: readonly string[] = ["data", "handle", "datagram", "take", "fetch"];

/** What other servers call what is a hook here. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  open: "setup",
  connect: "setup",
  connection: "setup",
  accept: "verify",
  message: "data",
  receive: "data",
  chunk: "data",
  read: "data",
  request: "fetch",
  close: "finish",
  disconnect: "finish",
  shutdown: "stop",
};

/** The hook that a name which is none was probably meant to be. */
function nearestHook(name: string): string | undefined {
  const word = name.replace(/^on(?=[A-Z_])_?/, "").toLowerCase();
  const found = HOOK_NAMES.find((hook) => hook === word) ??
    HOOK_NAMES.find((hook) => isSlip(word, hook)) ??
    HOOK_NAMES.find((hook) => word.startsWith(hook));
  return found ?? (Object.hasOwn(ELSEWHERE, word) ? ELSEWHERE[word] : undefined);
}

/**
 * Whether one was written for the other by a slip of the hand: a letter too many, missing or wrong in a
 * word of five or more, or two neighbours swapped.
 */
function isSlip(word: string, hook: string): boolean {
  let start = 0;
  while (start < word.length && word[start] === hook[start]) start++;
  const [rest, other] = [word.slice(start), hook.slice(start)];
  if (rest.length > 1 && rest[0] === other[1] && rest[1] === other[0]) {
    return rest.slice(2) === other.slice(2);
  }
  if (word.length < 5) return false;
  return rest.slice(1) === other || rest === other.slice(1) || rest.slice(1) === other.slice(1);
}

/** What to warn of: functions that nobody calls, and that have a name as if somebody did. */
export function mistakenHooks(hooks: object): { readonly name: string; readonly meant: string }[] {
  return Object.keys(hooks).filter((name) => !HOOK_NAMES.includes(name)).flatMap((name) => {
    const meant = nearestHook(name);
    return meant === undefined ? [] : [{ name, meant }];
  });
}

/**
 * Checks what `start` returned. A function that has no hook's name is a helper; one whose name is nearly
 * one is not.
 *
 * @throws PorticoError PLUGIN_INVALID when it is no table of hooks, or has no form or two.
 */
export function checkHooks(hooks: unknown, plugin: string): Hooks<unknown> {
  const invalid = (why: string, hint?: string): PorticoError => {
    const text = `the start of plugin ${JSON.stringify(plugin)} ${why}`;
    return new PorticoError("PLUGIN_INVALID", text, { hint });
  };
  if (typeof hooks !== "object" || hooks === null) {
    const hint = hooks === undefined
      ? "start: () => ({ data(session, chunk) { … } }) has ( ) around its { }"
      : typeof hooks === "function"
      ? "start: () => ({ handle(session) { … } }) returns them by their names"
      : undefined;
    const received = typeof hooks === "function" ? "a function" : String(hooks);
    throw invalid(`has to return an object of hooks: received ${received}`, hint);
  }
  const table = hooks as Record<string, unknown>;
  for (const [name, hook] of Object.entries(table)) {
    if (hook !== undefined && typeof hook !== "function") {
      throw invalid(`returned a hook \`${name}\` that is no function: received ${typeof hook}`);
    }
    const lower = name.toLowerCase();
    const meant = HOOK_NAMES.find((one) => one !== name && (one === lower || isSlip(lower, one)));
    if (meant !== undefined && hook !== undefined && !HOOK_NAMES.includes(name)) {
      throw invalid(`returned the unknown hook \`${name}\``, `did you mean \`${meant}\`?`);
    }
  }
  const forms = FORMS.filter((form) => table[form] !== undefined);
  if (forms.length === 0) {
    const [other] = mistakenHooks(table);
    const hint = other && `it has \`${other.name}\`: did you mean \`${other.meant}\`?`;
    throw invalid("returned none of the hooks data, handle, datagram, take and fetch", hint);
  }
  if (forms.includes("data") && forms.includes("handle")) {
    throw invalid("returned both data and handle: a plugin reads in push form or in pull form");
  }
  return table as Hooks<unknown>;
}
