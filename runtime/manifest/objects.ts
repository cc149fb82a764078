/** A manifest of a program may hold plugins and sinks themselves, where one in a file names them. */
import { urlOfObject } from "../modules/object.ts";
import { isPlain } from "./environment.ts";

/** Puts the URL of each in its place: then it is a manifest as any other. What is no manifest stays as it is. */
export function namingObjects(manifest: unknown): unknown {
  return changed(manifest, {
    plugins: (plugins) => eachOf(plugins, pluginName),
    sinks: (sinks) => eachOf(sinks, sinkName),
    defaults: (defaults) => changed(defaults, { log: logNames }),
    services: (services) =>
      eachOf(services, (service) =>
        changed(service, {
          plugin: pluginName,
          log: logNames,
          "log+=": logNames,
          "log-=": logNames,
        })),
  });
}

type Change = (value: unknown) => unknown;

/** A copy of a plain object, with some of its entries changed. */
function changed(value: unknown, changes: Readonly<Record<string, Change>>): unknown {
  return eachOf(value, (item, key) => Object.hasOwn(changes, key) ? changes[key]!(item) : item);
}

function eachOf(value: unknown, change: (value: unknown, key: string) => unknown): unknown {
  if (typeof value !== "object" || value === null || !isPlain(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, change(item, key)]));
}

/** Whatever is no text is taken for a plugin, so that it is told what a plugin is. */
function pluginName(value: unknown): unknown {
  return isObject(value) ? urlOfObject(value) : value;
}

function logNames(log: unknown): unknown {
  return Array.isArray(log) ? log.map(sinkUse) : sinkUse(log);
}

function sinkUse(value: unknown): unknown {
  return isSink(value) ? urlOfObject(value) : sinkName(value);
}

/** What `sinks` declares is a sink itself, or says in `type` which it is. */
function sinkName(value: unknown): unknown {
  if (isSink(value)) return { type: urlOfObject(value) };
  return changed(value, { type: (type) => isSink(type) ? urlOfObject(type) : type });
}

/** One that is open, a function that takes records, or a type of sink. */
function isSink(value: unknown): value is object {
  if (!isObject(value)) return false;
  const { write, open } = value as { write?: unknown; open?: unknown };
  return [value, write, open].some((each) => typeof each === "function");
}

function isObject(value: unknown): value is object {
  return typeof value === "function" ||
    (typeof value === "object" && value !== null && !Array.isArray(value));
}
