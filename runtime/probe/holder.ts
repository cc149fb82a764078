/** Who listens at an address already, as Linux tells it: proc(5). Nothing is bound, and nobody is connected to. */
import { readdirSync, readFileSync, readlinkSync, realpathSync } from "node:fs";
import { basename, dirname, isAbsolute, join, resolve } from "node:path";
import type { Endpoint, InternetEndpoint, UnixEndpoint } from "../core/endpoint.ts";

/** The process that has a socket; without a pid where this user may not look into it. */
export interface Holder {
  readonly pid?: number;
  /** Its program, as ps(1) names it. */
  readonly command?: string;
}

/**
 * Who has an address, so that nobody else can listen there; undefined when it is free.
 *
 * @throws what reading /proc throws: another system has none, Deno asks for `--allow-all`.
 */
export function holderOf(endpoint: Endpoint): Holder | undefined {
  if ("name" in endpoint) return undefined;
  if ("path" in endpoint) return localHolder(endpoint);
  const inode = internetInode(endpoint);
  return inode === undefined ? undefined : processWith(inode);
}

/** For people: `process 4711 (nginx)`. */
export function describeHolder({ pid, command }: Holder): string {
  return pid === undefined
    ? "a process that this user may not look into"
    : `process ${pid} (${command ?? "?"})`;
}

/** Columns of /proc/net/tcp and its like, and the states in which a port is taken. */
const LISTENING = "0A";
const UNCONNECTED = "07";

function internetInode({ transport, host, port }: InternetEndpoint): string | undefined {
  if (port === 0) return undefined;
  const [protocol, state] = transport === "udp" ? ["udp", UNCONNECTED] : ["tcp", LISTENING];
  for (const family of ["", "6"]) {
    for (const line of linesOf(`/proc/net/${protocol}${family}`)) {
      const [, local = "", , has, , , , , , inode] = line.trim().split(/\s+/);
      const [address = "", number = ""] = local.split(":");
      if (has !== state || parseInt(number, 16) !== port) continue;
      if (overlap(host, address)) return inode;
    }
  }
  return undefined;
}

const ANY_4 = "00000000";
const ANY_6 = "0".repeat(32);

/** Whether a host of a manifest and an address of the kernel's table can not be listened on both. */
function overlap(host: string, address: string): boolean {
  const isSix = address.length === 32;
  if (host === "*" || host === "::") return host === "*" || isSix || address === ANY_4;
  if (host === "0.0.0.0") return !isSix || address === ANY_6;
  if (address === ANY_6 || (address === ANY_4 && !host.includes(":"))) return true;
  const hosts = host === "localhost" ? ["127.0.0.1", "::1"] : [host];
  return hosts.some((one) => hexOf(one) === address);
}

/** An address as the kernel's tables have it: words in the order of bytes of this machine, little-endian. */
function hexOf(host: string): string | undefined {
  const bytes = host.includes(":") ? bytesOf6(host) : host.split(".").map(Number);
  if (bytes === undefined || (bytes.length !== 4 && bytes.length !== 16)) return undefined;
  const text = bytes.map((byte) => byte.toString(16).padStart(2, "0").toUpperCase());
  let hex = "";
  for (let at = 0; at < text.length; at += 4) hex += text.slice(at, at + 4).toReversed().join("");
  return hex;
}

function bytesOf6(host: string): number[] | undefined {
  const [head = "", tail] = host.replace(/%.*$/, "").split("::");
  const words = (text: string): number[] =>
    text === "" ? [] : text.split(":").map((word) => parseInt(word, 16));
  const [before, after] = [words(head), words(tail ?? "")];
  const missing = tail === undefined ? 0 : 8 - before.length - after.length;
  const all = [...before, ...Array<number>(Math.max(0, missing)).fill(0), ...after];
  return all.flatMap((word) => [word >> 8, word & 255]);
}

/** `__SO_ACCEPTCON`: somebody listens. */
const ACCEPTS = 0x10000;

function localHolder({ transport, path }: UnixEndpoint): Holder | undefined {
  for (const line of linesOf("/proc/net/unix")) {
    const [, , , flags = "", type, , inode = "", ...words] = line.trim().split(/\s+/);
    const bound = words.join(" ");
    const stream = type === "0001" && (parseInt(flags, 16) & ACCEPTS) !== 0;
    if (transport === "unixgram" ? type !== "0002" : !stream) continue;
    if (bound === "" || path.startsWith("@") || bound.startsWith("@")) {
      if (bound === path) return processWith(inode);
    } else if (isAbsolute(bound)) {
      if (resolve(bound) === resolve(path)) return processWith(inode);
    } else if (basename(bound) === basename(path)) {
      const holder = processWith(inode);
      if (isFrom(holder, bound, path)) return holder;
    }
  }
  return undefined;
}

/**
 * Whether a relative name leads to `path` from where its holder is: the kernel's table has it as it was bound, without
 * its folder. Of a holder that this user may not look into, or that has gone elsewhere, it is not known.
 */
function isFrom({ pid }: Holder, bound: string, path: string): boolean {
  const folder = pid === undefined ? undefined : linkOf(`/proc/${pid}/cwd`);
  if (folder === undefined) return false;
  try {
    // The kernel tells of a folder without the links that lead to it.
    return resolve(folder, bound) === join(realpathSync(dirname(resolve(path))), basename(path));
  } catch {
    return false;
  }
}

/** Without the heading; a family that the kernel does not have is empty. */
function linesOf(file: string): string[] {
  try {
    return readFileSync(file, "utf8").trimEnd().split("\n").slice(1);
  } catch (error) {
    if ((error as { code?: unknown }).code === "ENOENT" && file.endsWith("6")) return [];
    throw error;
  }
}

function processWith(inode: string): Holder {
  const wanted = `socket:[${inode}]`;
  // Children may have it from who has opened it, which is older.
  const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  for (const pid of pids.toSorted((a, b) => Number(a) - Number(b))) {
    try {
      const files = readdirSync(`/proc/${pid}/fd`);
      if (!files.some((fd) => linkOf(`/proc/${pid}/fd/${fd}`) === wanted)) continue;
      const command = readFileSync(`/proc/${pid}/comm`, "utf8").trim();
      return { pid: Number(pid), command };
    } catch {
      // Another user's, or gone.
    }
  }
  return {};
}

function linkOf(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}
