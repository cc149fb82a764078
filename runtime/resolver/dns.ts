/** Names and addresses by hosts(5) and DNS, asked by sockets of our own: so TTLs are known, and nothing blocks. */
import { readIp } from "../core/ip.ts";
import { messageOf, PorticoError } from "../core/errors.ts";
import type { Found, Resolver } from "../core/names/resolver.ts";
import type { ResolverPlan } from "../core/plan.ts";
import { exchange, type Net, type Server } from "./exchange.ts";
import { type Answer, RCODE, TYPE } from "./message.ts";
import { SYSTEM } from "./system.ts";

/** What a file says has no TTL, in ms. */
const FILE_TTL = 60_000;
/** How often a server is asked that does not answer. */
const TRIES = 2;
const DNS = 53;

const NOTHING: Found = { values: [], ttl: 0 };

export class DnsResolver implements Resolver {
  readonly #net: Net;
  readonly #plan: () => ResolverPlan;
  readonly #ended = new AbortController();

  /** @param plan as it is now: asked for each question. */
  constructor(net: Net, plan: () => ResolverPlan) {
    this.#net = net;
    this.#plan = plan;
  }

  /** Nobody is asked any more: what is asked for now is rejected. */
  close(): void {
    this.#ended.abort();
  }

  async addresses(name: string, family?: 4 | 6): Promise<Found> {
    const absolute = name.endsWith(".");
    const plain = absolute ? name.slice(0, -1) : name;
    const local = SYSTEM.hosts.addresses.get(plain);
    if (local !== undefined) {
      const values = local.filter((address) =>
        family === undefined || address.includes(":") === (family === 6)
      );
      if (values.length > 0) return { values, ttl: FILE_TTL };
    }
    const end = performance.now() + this.#plan().timeout;
    let found = NOTHING;
    for (const candidate of absolute ? [plain] : candidates(plain)) {
      found = await this.#both(candidate, family, end);
      if (found.values.length > 0) break;
    }
    return found;
  }

  async #both(name: string, family: 4 | 6 | undefined, end: number): Promise<Found> {
    const types = family === 4 ? [TYPE.A] : family === 6 ? [TYPE.AAAA] : [TYPE.A, TYPE.AAAA];
    const answers = await Promise.all(types.map((type) => this.#ask(name, type, end)));
    const held = answers.filter(({ values }) => values.length > 0);
    const ttls = (held.length > 0 ? held : answers).map(({ ttl }) => ttl);
    return { values: answers.flatMap(({ values }) => values), ttl: Math.min(...ttls) };
  }

  async names(address: string): Promise<Found> {
    const plain = address.replace(/%.*/, "");
    const local = SYSTEM.hosts.names.get(plain);
    if (local !== undefined) return { values: local, ttl: FILE_TTL };
    const name = reverseName(plain);
    if (name === undefined) return NOTHING;
    return await this.#ask(name, TYPE.PTR, performance.now() + this.#plan().timeout);
  }

  /** Asks the servers one after the other, and again, until one has said something. */
  async #ask(name: string, type: number, end: number): Promise<Found> {
    const { servers, timeout } = this.#plan();
    const asked = (servers ?? SYSTEM.resolvConf.servers).map(serverOf);
    const slice = timeout / (TRIES * asked.length);
    let failure: unknown = undefined;
    for (let attempt = 0; attempt < TRIES * asked.length; attempt++) {
      const left = end - performance.now();
      if (left <= 0) break;
      const server = asked[attempt % asked.length]!;
      try {
        const answer = await exchange(
          this.#net,
          server,
          { name, type },
          Math.min(left, slice),
          this.#ended.signal,
        );
        if (answer.code === RCODE.ok || answer.code === RCODE.noName) return foundIn(answer);
        failure = new PorticoError("ENOTFOUND", `${server.host} says ${codeText(answer.code)}`);
      } catch (error) {
        failure = error;
        if (this.#ended.signal.aborted) break;
      }
    }
    throw failure instanceof PorticoError
      ? failure
      : new PorticoError("ETIMEDOUT", failure === undefined ? undefined : messageOf(failure));
  }
}

function foundIn({ values, ttl }: Answer): Found {
  return { values, ttl: ttl * 1000 };
}

function codeText(code: number): string {
  return ["NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED"][code] ??
    `code ${code}`;
}

/** What a name may stand for: one with few dots is looked for in the machine's own domains first. */
function candidates(name: string): string[] {
  const { search, ndots } = SYSTEM.resolvConf;
  if (name.split(".").length - 1 >= ndots) return [name];
  return [...search.map((domain) => `${name}.${domain}`), name];
}

/** `ADDRESS`, `ADDRESS:PORT` or `[ADDRESS]:PORT`. */
export function serverOf(text: string): Server {
  // IPv6 without a port needs no brackets.
  const found = /^(?:\[([^\]]+)\]|([^:]+))(?::(\d+))?$/.exec(text);
  if (found === null) return { host: text, port: DNS };
  return { host: (found[1] ?? found[2])!, port: Number(found[3] ?? DNS) };
}

const words = new Uint32Array(4);

/** The name under which an address's own names are found. */
function reverseName(address: string): string | undefined {
  const family = readIp(address, words);
  if (family === 0) return undefined;
  if (family === 4) {
    const word = words[0]!;
    return [0, 8, 16, 24].map((shift) => word >>> shift & 255).join(".") + ".in-addr.arpa";
  }
  const digits = [...words].map((word) => word.toString(16).padStart(8, "0")).join("");
  return [...digits].reverse().join(".") + ".ip6.arpa";
}
