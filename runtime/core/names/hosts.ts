/** Hosts that rules know by name, and their addresses: asked for ahead of time, never while somebody waits. */
import type { Clock, Timer } from "../clock.ts";
import { messageOf, PorticoError } from "../errors.ts";
import { type Found, keptFor, type Resolver } from "./resolver.ts";

/** How long addresses are kept that nobody can confirm any more, in ms. */
export const LAST_KNOWN = 3600_000;
/** Milliseconds until a name is asked for again that nobody could say anything of: at first, doubled, at most. */
const RETRY_FIRST = 2_000;
const RETRY_LAST = 60_000;
/** Questions at once. */
const ASKED = 32;

/** What somebody wants to know of a host. */
export interface Follower {
  /** Its addresses are others now. */
  changed(): void;
  /** It could not be resolved, has no address, or can be resolved again (undefined). */
  report(name: string, error: PorticoError | undefined): void;
}

class Host {
  readonly name: string;
  readonly followers: Set<Follower> = new Set();
  readonly first: PromiseWithResolvers<void> = Promise.withResolvers();
  addresses: readonly string[] = [];
  /** When it is asked for next, and until when what is known holds; by the clock. */
  due = 0;
  until = 0;
  asked = false;
  retry: number = RETRY_FIRST;
  failing = false;

  constructor(name: string) {
    this.name = name;
  }
}

/** A host that is followed. */
export interface Followed {
  /** Empty while nobody knows any. */
  readonly addresses: readonly string[];
  /** Resolves with the first answer, or when there is none. */
  readonly first: Promise<void>;
  end(): void;
}

export class HostNames {
  readonly #resolver: Resolver;
  readonly #clock: Clock;
  readonly #hosts: Map<string, Host> = new Map();
  #asked = 0;
  #timer: Timer | undefined = undefined;

  constructor(resolver: Resolver, clock: Clock) {
    this.#resolver = resolver;
    this.#clock = clock;
  }

  /** Follows a host until {@link Followed.end}. What is known already is there at once. */
  follow(name: string, follower: Follower): Followed {
    let host = this.#hosts.get(name);
    if (host === undefined) this.#hosts.set(name, host = new Host(name));
    const followed = host;
    followed.followers.add(follower);
    this.#look();
    return {
      get addresses() {
        return followed.addresses;
      },
      first: followed.first.promise,
      end: () => {
        followed.followers.delete(follower);
        if (followed.followers.size > 0) return;
        if (this.#hosts.get(name) === followed) this.#hosts.delete(name);
        if (this.#hosts.size === 0) this.#rest();
      },
    };
  }

  #rest(): void {
    this.#clock.clear(this.#timer);
    this.#timer = undefined;
  }

  /** Asks for those that are due, and sleeps until the next one is. */
  #look(): void {
    this.#rest();
    const now = this.#clock.now();
    let next = Infinity;
    for (const host of this.#hosts.values()) {
      if (host.asked) continue;
      if (host.due > now) next = Math.min(next, host.due);
      // Whoever has been answered looks again.
      else if (this.#asked < ASKED) void this.#ask(host);
    }
    if (next === Infinity) return;
    this.#timer = this.#clock.setTimeout(() => this.#look(), Math.ceil(next - now));
  }

  async #ask(host: Host): Promise<void> {
    this.#asked++;
    host.asked = true;
    try {
      this.#learn(host, await this.#resolver.addresses(host.name));
    } catch (error) {
      this.#fail(host, error);
    } finally {
      this.#asked--;
      host.asked = false;
      host.first.resolve();
      this.#look();
    }
  }

  #learn(host: Host, found: Found): void {
    const now = this.#clock.now();
    host.due = now + keptFor(found);
    host.until = now + LAST_KNOWN;
    host.retry = RETRY_FIRST;
    this.#change(host, found.values);
    if (found.values.length > 0) return this.#tell(host, undefined);
    this.#tell(host, `${host.name} has no address: rules about it are about nobody`);
  }

  /** What was known stays, for a while. */
  #fail(host: Host, error: unknown): void {
    const now = this.#clock.now();
    host.due = now + host.retry;
    host.retry = Math.min(RETRY_LAST, 2 * host.retry);
    const lasts = host.addresses.length > 0 && now < host.until;
    if (!lasts) this.#change(host, []);
    const then = lasts ? "its last addresses hold for an hour" : "rules about it are about nobody";
    this.#tell(host, `${host.name} cannot be resolved (${messageOf(error)}): ${then}`);
  }

  /** Once, until it is well again. */
  #tell(host: Host, failure: string | undefined): void {
    if (host.failing === (failure !== undefined)) return;
    host.failing = failure !== undefined;
    const error = failure === undefined
      ? undefined
      : new PorticoError("ENOTFOUND", failure, { side: "host" });
    for (const follower of [...host.followers]) follower.report(host.name, error);
  }

  #change(host: Host, addresses: readonly string[]): void {
    const before = host.addresses;
    const same = before.length === addresses.length &&
      addresses.every((address) => before.includes(address));
    if (same) return;
    host.addresses = addresses;
    for (const follower of [...host.followers]) follower.changed();
  }
}
