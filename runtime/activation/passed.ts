/** Sockets that systemd has opened for us: sd_listen_fds(3). */
import process from "node:process";
import { PorticoError } from "../core/errors.ts";

/** The environment of a process. */
export type Environment = Record<string, string | undefined>;

/** One socket. */
export interface PassedSocket {
  readonly fd: number;
  /** `FileDescriptorName=` of its unit, which is the unit's own name when silent; several may share it. */
  readonly name: string;
}

/** The first of them; SD_LISTEN_FDS_START. */
const START = 3;
/** The largest descriptor. */
const MOST = 2 ** 31 - 1 - START;

/**
 * Reads LISTEN_PID, LISTEN_FDS and LISTEN_FDNAMES, and takes them out of the environment: children
 * must not believe that they are meant.
 *
 * @returns undefined when nothing was passed to this process: a LISTEN_PID of another one is its affair.
 * @throws PorticoError USAGE when the variables contradict each other or themselves.
 */
export function listenFds(
  env: Environment = process.env,
  pid: number = process.pid,
): PassedSocket[] | undefined {
  const { LISTEN_PID: owner, LISTEN_FDS: text, LISTEN_FDNAMES: list } = env;
  for (const name of ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "LISTEN_PIDFDID"]) {
    delete env[name];
  }
  if (owner === undefined || text === undefined) return undefined;
  if (!/^\d+$/.test(owner)) throw wrong("LISTEN_PID", owner, "the number of a process");
  if (Number(owner) !== pid) return undefined;
  if (!/^\d+$/.test(text) || Number(text) > MOST) {
    throw wrong("LISTEN_FDS", text, "a number of sockets");
  }
  const count = Number(text);
  const names = list === undefined || count === 0 ? undefined : list.split(":");
  if (names !== undefined && names.length !== count) {
    throw wrong("LISTEN_FDNAMES", list!, `${count} names with : between them, as LISTEN_FDS says`);
  }
  // As sd_listen_fds_with_names(3) has it for those without a name.
  return Array.from({ length: count }, (_, i) => ({
    fd: START + i,
    name: names?.[i] ?? "unknown",
  }));
}

function wrong(name: string, value: string, expected: string): PorticoError {
  return new PorticoError("USAGE", `${name} is ${JSON.stringify(value)}; it has to be ${expected}`);
}
