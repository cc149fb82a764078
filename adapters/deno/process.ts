/**
 * What the compiled package takes for `process` where it is a worker on Deno. The first module of Node costs
 * a process 15 ms and 8 MB there, `spawn` starts one for each session, and an echo needs no more of them than
 * what is here. Everything else is Node's, at its first use.
 */
import { internals } from "./internals.ts";

type Process = typeof globalThis.process;
type Listener = (...words: unknown[]) => void;
type Table = Readonly<Record<string, unknown>>;

/** Node's own, or what stands in for it, in a process of Deno that has this variable in its environment. */
export function processOf(variable: string): Process {
  if (!("Deno" in globalThis) || !isSet(variable)) return globalThis.process;
  return over(PROCESS, () => globalThis.process) as Process;
}

function isSet(variable: string): boolean {
  const { state } = Deno.permissions.querySync({ name: "env", variable });
  return state === "granted" && Deno.env.has(variable);
}

/** What is in the table, and for the rest what is loaded then. */
function over(table: Table, load: () => object): object {
  return new Proxy(table, {
    get: (_, key) => Object.hasOwn(table, key) ? table[key as string] : Reflect.get(load(), key),
    set: (_, key, value) => Reflect.set(load(), key, value),
    has: (_, key) => Object.hasOwn(table, key) || Reflect.has(load(), key),
  });
}

/** Where others may have taken Node's `process`, it ends the process: they may wait for its last event. */
function isLoaded(): boolean {
  const found = internals();
  return found === undefined || "dispatchProcessExitEvent" in found;
}

/** How Deno tells of an event of `process`. */
interface Source {
  add(event: string, told: EventListener): void;
  remove(event: string, told: EventListener): void;
  words(event: Event): unknown[];
}

function globalEvent(name: string, words: (event: Event) => unknown[]): Source {
  return {
    add: (_, told) => globalThis.addEventListener(name, told),
    remove: (_, told) => globalThis.removeEventListener(name, told),
    words(event) {
      // Whoever listens has seen to it: the process goes on.
      event.preventDefault();
      return words(event);
    },
  };
}

const SOURCES: Readonly<Record<string, Source>> = {
  exit: globalEvent("unload", () => []),
  uncaughtException: globalEvent("error", (event) => [(event as ErrorEvent).error]),
  unhandledRejection: globalEvent(
    "unhandledrejection",
    (event) => [(event as PromiseRejectionEvent).reason],
  ),
};

const SIGNALS: Source = {
  add: (name, told) => Deno.addSignalListener(name as Deno.Signal, told as () => void),
  remove: (name, told) => Deno.removeSignalListener(name as Deno.Signal, told as () => void),
  words: () => [],
};

function sourceOf(event: string): Source | undefined {
  return event.startsWith("SIG") ? SIGNALS : SOURCES[event];
}

/** Who listens, and what Deno calls for it. */
const listening = new Map<string, Map<Listener, EventListener>>();

function on(event: string, listener: Listener): Process {
  const source = sourceOf(event);
  if (source === undefined) return globalThis.process.on(event, listener);
  const told: EventListener = (each) => listener(...source.words(each));
  const all = listening.get(event) ?? new Map<Listener, EventListener>();
  listening.set(event, all.set(listener, told));
  source.add(event, told);
  return PROCESS as unknown as Process;
}

function removeListener(event: string, listener: Listener): Process {
  const told = listening.get(event)?.get(listener);
  if (told === undefined) return globalThis.process.removeListener(event, listener);
  listening.get(event)!.delete(listener);
  sourceOf(event)!.remove(event, told);
  return PROCESS as unknown as Process;
}

function emit(event: string, ...words: unknown[]): boolean {
  const all = listening.get(event);
  for (const listener of all?.keys() ?? []) listener(...words);
  const others = isLoaded() && globalThis.process.emit(event, ...words);
  return others || (all?.size ?? 0) > 0;
}

function exit(code?: number): never {
  return isLoaded() ? globalThis.process.exit(code) : Deno.exit(code);
}

const ENVIRONMENT: Record<string, string | undefined> = new Proxy({}, {
  get: (_, name) => typeof name === "string" ? Deno.env.get(name) : undefined,
  has: (_, name) => typeof name === "string" && Deno.env.has(name),
  set: (_, name, value) => {
    Deno.env.set(String(name), String(value));
    return true;
  },
  deleteProperty: (_, name) => {
    Deno.env.delete(String(name));
    return true;
  },
  ownKeys: () => Object.keys(Deno.env.toObject()),
  getOwnPropertyDescriptor: (_, name) => {
    const value = Deno.env.get(String(name));
    return value === undefined
      ? undefined
      : { value, enumerable: true, configurable: true, writable: true };
  },
});

/** Reads as a module of Node does, which is asked as soon as that fails: errors are its own. */
function reads<Read>(native: () => Read, node: () => Read): Read {
  try {
    return native();
  } catch {
    return node();
  }
}

const nodeFs = (): typeof import("node:fs") => globalThis.process.getBuiltinModule("node:fs");

const FS: Table = {
  readFileSync(path: string, encoding: "utf8") {
    const node = (): string => nodeFs().readFileSync(path, encoding);
    return encoding === "utf8" ? reads(() => Deno.readTextFileSync(path), node) : node();
  },
  readlinkSync(path: string) {
    return reads(() => Deno.readLinkSync(path), () => nodeFs().readlinkSync(path));
  },
  readdirSync(path: string, options?: object) {
    const node = () => nodeFs().readdirSync(path, options);
    if (options !== undefined) return node();
    return reads(() => Array.from(Deno.readDirSync(path), ({ name }) => name), node);
  },
};

const FILES: Table = {
  async readFile(path: string, encoding: "utf8") {
    try {
      if (encoding === "utf8") return await Deno.readTextFile(path);
    } catch {
      // It fails again, with an error of Node's.
    }
    return await nodeFs().promises.readFile(path, encoding);
  },
};

/** Of each module that is here only in part; Deno keeps compiled code by itself. */
const MODULES: Readonly<Record<string, Table>> = {
  "node:fs": FS,
  "node:fs/promises": FILES,
  "node:module": { enableCompileCache: undefined, getCompileCacheDir: undefined },
};

function getBuiltinModule(name: string): unknown {
  const load = (): object => globalThis.process.getBuiltinModule(name)!;
  return MODULES[name] === undefined ? load() : over(MODULES[name], load);
}

const PROCESS: Table = {
  env: ENVIRONMENT,
  get arch() {
    return Deno.build.arch === "x86_64" ? "x64" : "arm64";
  },
  get platform() {
    return Deno.build.os === "windows" ? "win32" : Deno.build.os;
  },
  get execPath() {
    return Deno.execPath();
  },
  get pid() {
    return Deno.pid;
  },
  permission: undefined,
  on,
  removeListener,
  emit,
  exit,
  getBuiltinModule,
};
