/** What a thread begins with. */
import process from "node:process";
import { pathToFileURL } from "node:url";
import type { ThreadStart } from "../runtime/core/process.ts";
import { threadOfExecutable } from "./node/executable.ts";

/** In an executable it stands for all modules, and each runtime has its own way to what is inside. */
const EXECUTABLE = process.execPath;

/** See {@link Adapter.thread}. */
export function thread(module: string): ThreadStart {
  if (module !== EXECUTABLE) return { url: pathToFileURL(module).href };
  if ("Deno" in globalThis) return { url: Deno.mainModule };
  if ("Bun" in globalThis) return { url: pathToFileURL(Bun.main).href };
  return threadOfExecutable();
}
