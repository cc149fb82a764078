/** What this machine says of names: hosts(5) and resolv.conf(5). */
import { readFileSync, statSync } from "node:fs";
import { readIp } from "../core/ip.ts";

/** How often it is looked whether a file has changed, in ms. */
const LOOK = 2000;
/** Where it is in resolv.conf(5)'s silence. */
const LOCAL = "127.0.0.1";

/** A file that is read anew when it has changed; without it, what an empty one says. */
class WatchedFile<Content> {
  readonly #path: string;
  readonly #read: (text: string) => Content;
  #content: Content;
  #stamp = "";
  #looked = -Infinity;

  constructor(path: string, read: (text: string) => Content) {
    this.#path = path;
    this.#read = read;
    this.#content = read("");
  }

  get content(): Content {
    const now = performance.now();
    if (now - this.#looked < LOOK) return this.#content;
    this.#looked = now;
    try {
      const { mtimeMs, size, ino } = statSync(this.#path);
      const stamp = `${mtimeMs}:${size}:${ino}`;
      if (stamp === this.#stamp) return this.#content;
      this.#content = this.#read(readFileSync(this.#path, "utf8"));
      this.#stamp = stamp;
    } catch {
      // It is not there, or may not be read.
      this.#content = this.#read("");
      this.#stamp = "";
    }
    return this.#content;
  }
}

/** Names by address, and addresses by name. */
export interface HostsTable {
  readonly addresses: ReadonlyMap<string, readonly string[]>;
  readonly names: ReadonlyMap<string, readonly string[]>;
}

/** Reads hosts(5): an address and its names in each line. */
export function readHosts(text: string): HostsTable {
  const addresses = new Map<string, string[]>();
  const names = new Map<string, string[]>();
  const words = new Uint32Array(4);
  const add = (map: Map<string, string[]>, key: string, value: string): void => {
    const list = map.get(key);
    if (list === undefined) map.set(key, [value]);
    else if (!list.includes(value)) list.push(value);
  };
  for (const line of text.split("\n")) {
    const [address, ...found] = line.replace(/#.*/, "").trim().split(/\s+/);
    if (address === undefined || readIp(address, words) === 0) continue;
    for (const name of found) {
      const key = name.toLowerCase().replace(/\.$/, "");
      add(addresses, key, address);
      add(names, address, key);
    }
  }
  return { addresses, names };
}

/** Whom to ask, and what to put behind names with fewer dots than `ndots`. */
export interface ResolvConf {
  readonly servers: readonly string[];
  readonly search: readonly string[];
  readonly ndots: number;
}

/** Reads resolv.conf(5). */
export function readResolvConf(text: string): ResolvConf {
  const servers: string[] = [];
  let search: string[] = [];
  let ndots = 1;
  for (const line of text.split("\n")) {
    const [keyword, ...words] = line.replace(/[#;].*/, "").trim().split(/\s+/);
    if (keyword === "nameserver" && words[0] !== undefined) servers.push(words[0]);
    if (keyword === "search" || keyword === "domain") search = words;
    for (const word of keyword === "options" ? words : []) {
      const found = /^ndots:(\d{1,2})$/.exec(word);
      if (found !== null) ndots = Math.min(15, Number(found[1]));
    }
  }
  return { servers: servers.length === 0 ? [LOCAL] : servers, search, ndots };
}

const hosts = new WatchedFile("/etc/hosts", readHosts);
const resolvConf = new WatchedFile("/etc/resolv.conf", readResolvConf);

/** As it is now. */
export const SYSTEM = {
  get hosts(): HostsTable {
    return hosts.content;
  },
  get resolvConf(): ResolvConf {
    return resolvConf.content;
  },
};
