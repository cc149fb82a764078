/** Asks for libc when there is not a descriptor left, and again when there are some. A program of its own. */
import { closeSync, openSync } from "node:fs";
import { ffiSupport, openLibc } from "../../adapters/posix/libc.ts";

// As the adapter does when it is loaded.
ffiSupport();
const fds: number[] = [];
let end = (): void => fds.forEach((fd) => closeSync(fd));
if ("Deno" in globalThis) {
  // It panics when it has to load a module then, so its library is what cannot be had.
  const { dlopen } = Deno;
  Deno.dlopen = () => {
    throw new Error("libc.so.6: cannot open shared object file: Too many open files");
  };
  end = () => void (Deno.dlopen = dlopen);
} else {
  try {
    for (;;) fds.push(openSync("/dev/null", "r"));
  } catch {
    // That was the last.
  }
}

const ask = (): Promise<string> => openLibc().then(() => "opened", ({ message }) => message);
const told = [await ask(), await ask()];
end();
told.push(await ask());
console.log(JSON.stringify(told));
