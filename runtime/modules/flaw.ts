/** What is wrong with the default export of a module that should be a plugin. */
import { HOOK_NAMES } from "../core/hook-table.ts";
import { API, type Plugin } from "../core/plugin.ts";
import { parseRate } from "../core/units.ts";
import { didYouMean, isSlip } from "../values/nearest.ts";
import { show } from "../values/problem.ts";
import { KEYS, NAME, TRANSPORTS } from "./sound.ts";

/** What is wrong with a default export. */
export interface Flaw {
  /** What would be right, and what is there. */
  readonly expected: string;
  readonly hint?: string | undefined;
  /** The word in the module's text that it is about. */
  readonly word?: string;
}

const FORM = "export default definePlugin({ name, transports, start })";

/** Undefined for a plugin. @param module what else the module exports. */
export function flawOf(
  value: unknown,
  module: Readonly<Record<string, unknown>> = {},
): Flaw | undefined {
  if (typeof value !== "object" || value === null) return notAnObject(value, module);
  const { name, transports, start, api, options, scope, datagramRate, fits, probe } =
    value as Partial<
      Record<keyof Plugin, unknown>
    >;
  if (api !== undefined && api !== API) {
    const expected = `a plugin of API ${API}, the one that this version speaks; it has "api": ${
      show(api)
    }`;
    return { expected, hint: apiHint(api), word: "api" };
  }
  const elsewhere = whereItIs(value as Record<string, unknown>);
  if (elsewhere !== undefined) return elsewhere;
  const slip = Object.keys(value).find((key) =>
    !KEYS.includes(key) && (isSlip(key, KEYS) || HOOK_NAMES.includes(key))
  );
  const meant = slip === undefined || HOOK_NAMES.includes(slip) ? undefined : slip;
  if (meant !== undefined) {
    const expected = `a plugin with the keys ${KEYS.join(", ")}; it has ${show(meant)}`;
    return { expected, hint: didYouMean(meant, KEYS), word: meant };
  }
  if (typeof name !== "string" || !NAME.test(name)) {
    const expected = `a plugin with a "name" of letters, digits, - and _; it has ${show(name)}`;
    return { expected, word: "name" };
  }
  if (
    !Array.isArray(transports) || transports.length === 0 ||
    !transports.every((transport) => TRANSPORTS.includes(transport))
  ) {
    const expected =
      `a plugin whose "transports" is a list out of "stream", "datagram" and "http"; it has ${
        show(transports)
      }`;
    return { expected, hint: transportsHint(transports), word: "transports" };
  }
  if (typeof start !== "function") {
    const expected = `a plugin whose "start" is a function; it has ${show(start)}`;
    const hook = slip !== undefined && start === undefined ? slip : undefined;
    const hint = hook && `hooks go into what start returns: start: () => ({ ${hook}(…) { … } })`;
    return { expected, hint, word: hook ?? "start" };
  }
  if (scope !== undefined && scope !== "service") {
    const expected = `a plugin whose "scope" is "service", or absent; it has ${show(scope)}`;
    return { expected, word: "scope" };
  }
  if (datagramRate !== undefined && Number.isNaN(parseRate(String(datagramRate)).count)) {
    const expected = `a plugin whose "datagramRate" is a rate, as "1000/s"; it has ${
      show(datagramRate)
    }`;
    return { expected, word: "datagramRate" };
  }
  if (fits !== undefined && typeof fits !== "function") {
    return { expected: `a plugin whose "fits" is a function; it has ${show(fits)}`, word: "fits" };
  }
  if (probe !== undefined && typeof probe !== "function") {
    return {
      expected: `a plugin whose "probe" is a function; it has ${show(probe)}`,
      word: "probe",
    };
  }
  const standard = (options as Plugin["options"] | null)?.["~standard"];
  if (options !== undefined && typeof standard?.validate !== "function") {
    const expected =
      `a plugin whose "options" is a Standard Schema (valibot, zod, arktype …); it has ${
        show(options)
      }`;
    return { expected, word: "options" };
  }
  return undefined;
}

/** What to do about a plugin of another API; `has` is what the plugin or its package says. */
export function apiHint(has: unknown): string {
  if (typeof has === "string" && Number(has) === API) return `did you mean ${API}, without quotes?`;
  if (typeof has === "number" && Number.isInteger(has) && has > API) {
    return `it was written for a newer Portico: upgrade Portico, or install a version of the plugin for API ${API}`;
  }
  return `there is no such API: the plugin's author has to write ${API}`;
}

function notAnObject(value: unknown, module: Readonly<Record<string, unknown>>): Flaw {
  if (value === undefined) {
    const named = Object.keys(module).find((key) => key !== "default" && isPlugin(module[key]));
    const hint = named === undefined
      ? undefined
      : `it exports ${named}: export default ${named}, or export { ${named} as default }`;
    return { expected: `a default export: ${FORM}`, hint, ...(named && { word: named }) };
  }
  const expected = `${FORM}; its default export is ${kindOf(value)}`;
  return { expected, word: "export default" };
}

function kindOf(value: unknown): string {
  if (typeof value !== "function") return show(value);
  const name = value.name === "" || value.name === "default" ? "" : ` ${value.name}`;
  return /^class\b/.test(Function.prototype.toString.call(value))
    ? `a class${name}`
    : `a function${name}`;
}

/** A promise of a plugin, or a module with one. */
function whereItIs(value: Record<string, unknown>): Flaw | undefined {
  if (typeof value["then"] === "function") {
    const expected = `${FORM}; its default export is a promise`;
    return { expected, hint: "export default await …", word: "export default" };
  }
  if (value["start"] !== undefined || value["name"] !== undefined) return undefined;
  const inner = Object.keys(value).find((key) => isPlugin(value[key]));
  if (inner === undefined) return undefined;
  const expected = `${FORM}; its default export is an object with the plugin in ${show(inner)}`;
  return { expected, hint: "export the plugin itself", word: "export default" };
}

function isPlugin(value: unknown): boolean {
  const { start, transports } = Object(value) as Partial<Record<string, unknown>>;
  return typeof start === "function" && Array.isArray(transports);
}

/** `tcp` is a transport of endpoints; a plugin serves streams. */
function transportsHint(transports: unknown): string | undefined {
  if (typeof transports === "string" && TRANSPORTS.includes(transports)) {
    return `did you mean [${show(transports)}]?`;
  }
  const kinds: Readonly<Record<string, string>> = {
    tcp: "stream",
    tls: "stream",
    unix: "stream",
    udp: "datagram",
    unixgram: "datagram",
    https: "http",
  };
  const wrong = [transports].flat().find((one) => !TRANSPORTS.includes(one));
  if (typeof wrong !== "string") return undefined;
  return kinds[wrong] === undefined
    ? didYouMean(wrong, TRANSPORTS as string[])
    : `${show(wrong)} is a transport of endpoints: ${show(kinds[wrong])} serves it`;
}
