/** Which descriptors a program has that it was not given. */
import { readdirSync, readFileSync, readlinkSync } from "node:fs";

const CLOEXEC = 0o2000000;

/** What whoever has started this process lets every program below it have, before anything is opened here. */
const passedOn: ReadonlySet<string> = new Set(
  readdirSync("/proc/self/fd").flatMap((fd) => {
    try {
      const flags = /^flags:\s*(\d+)/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, "latin1"))![1]!;
      const target = readlinkSync(`/proc/self/fd/${fd}`);
      return (Number.parseInt(flags, 8) & CLOEXEC) === 0 ? [`${fd} ${target}`] : [];
    } catch {
      return [];
    }
  }),
);

/** Lists its own descriptors, one a line: the number and what it is. */
export const LIST: readonly string[] = ["ls", "-l", "--time-style=+", "/proc/self/fd"];

/** What of the list is neither a standard stream, nor the list's own, nor this process's from its start. */
export function excessIn(list: string): string[] {
  const found = [...list.matchAll(/(\d+) -> (.*)$/gm)].map(([, fd, target]) => ({ fd, target }));
  if (!found.some(({ fd }) => fd === "0")) throw new Error(`this is no such list: ${list}`);
  return found
    .filter(({ fd, target }) => Number(fd) > 2 && !/^\/proc\/\d+\/fd$/.test(target!))
    .map(({ fd, target }) => `${fd} ${target}`)
    .filter((text) => !passedOn.has(text));
}
