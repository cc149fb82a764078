/** Becoming somebody else, for good: setgroups(2), setgid(2), setuid(2), in this order. */
import { readdirSync, readFileSync } from "node:fs";
import process from "node:process";
import { codeOf, messageOf, PorticoError } from "../core/errors.ts";
import type { ProcessCalls } from "../core/process.ts";
import type { ResolvedIdentity } from "./resolve.ts";

/**
 * Makes this process, with all its threads, another user's; it cannot go back. What root alone may
 * open has to be open before. Nothing is done when it is that user already.
 *
 * @param calls for setgroups(2) where the runtime has none.
 * @throws PorticoError EPERM, with nothing changed where it may not; when the kernel has not done what it
 * said, the process is half changed and has to end.
 */
export function dropPrivileges(
  identity: ResolvedIdentity,
  calls?: Pick<ProcessCalls, "setGroups">,
): void {
  const { uid, gid, groups, name } = identity;
  if (process.setuid === undefined) {
    throw new PorticoError(
      "NOT_SUPPORTED",
      `cannot become user ${name}: users are a matter of Unix`,
    );
  }
  if (flaw(identity) === undefined || isAlready(identity)) return;
  attempt(name, () => {
    if (typeof process.setgroups === "function") process.setgroups([...groups]);
    else if (calls !== undefined) calls.setGroups(groups);
    else throw new PorticoError("NOT_SUPPORTED", "this runtime has no setgroups(2)");
  });
  attempt(name, () => process.setgid!(gid));
  attempt(name, () => process.setuid!(uid));
  const wrong = flaw(identity) ?? (uid !== 0 && canReturn() ? "root can be had again" : undefined);
  if (wrong !== undefined) {
    throw new PorticoError("EPERM", `this process did not become user ${name}: ${wrong}`);
  }
}

/** Whoever has started it as this user without root's rights has chosen its groups, too. */
function isAlready({ uid, gid }: ResolvedIdentity): boolean {
  return uid !== 0 && [process.getuid!(), process.geteuid!()].every((id) => id === uid) &&
    [process.getgid!(), process.getegid!()].every((id) => id === gid);
}

function attempt(name: string, change: () => void): void {
  try {
    change();
  } catch (error) {
    const denied = codeOf(error) === "EPERM" || process.geteuid!() !== 0;
    const why = denied
      ? "this process is not root; start it as root or leave user out"
      : messageOf(error);
    throw new PorticoError("EPERM", `cannot become user ${name}: ${why}`, { cause: error });
  }
}

/** What is not as `identity` wants it, of any thread; undefined when all is. */
function flaw(identity: ResolvedIdentity): string | undefined {
  const threads = statuses();
  if (threads.length > 0) {
    return threads.map((status) => flawOf(status, identity)).find((wrong) => wrong !== undefined);
  }
  // Without /proc, what the runtime says of the process.
  const { uid, gid, groups } = identity;
  if (process.getuid!() !== uid || process.geteuid!() !== uid) {
    return `it is user ${process.getuid!()}`;
  }
  if (process.getgid!() !== gid || process.getegid!() !== gid) {
    return `it is group ${process.getgid!()}`;
  }
  return flawOfGroups(process.getgroups!(), groups);
}

/** proc_pid_status(5) of every thread: a thread that was left out would be a way back. */
function statuses(): string[] {
  try {
    return readdirSync("/proc/self/task").flatMap((thread) => {
      try {
        return [readFileSync(`/proc/self/task/${thread}/status`, "utf8")];
      } catch {
        // It has ended meanwhile.
        return [];
      }
    });
  } catch {
    return [];
  }
}

/** Real, effective, saved and file system's ids, and the groups. */
function flawOf(status: string, { uid, gid, groups }: ResolvedIdentity): string | undefined {
  const ids = (key: string): number[] => {
    const [, list = ""] = new RegExp(`^${key}:(.*)$`, "m").exec(status) ?? [];
    return list.trim().split(/\s+/).filter((id) => id !== "").map(Number);
  };
  if (ids("Uid").some((id) => id !== uid)) return `its user ids are ${ids("Uid").join(" ")}`;
  if (ids("Gid").some((id) => id !== gid)) return `its group ids are ${ids("Gid").join(" ")}`;
  return flawOfGroups(ids("Groups"), groups);
}

function flawOfGroups(has: readonly number[], wanted: readonly number[]): string | undefined {
  const same = has.length === wanted.length && wanted.every((group) => has.includes(group));
  return same ? undefined : `its groups are ${has.join(" ") || "none"}`;
}

function canReturn(): boolean {
  try {
    process.setuid!(0);
    return true;
  } catch {
    return false;
  }
}
