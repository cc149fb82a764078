/** Streams that are passed on: two sessions, each of which is told what happens to the other. */
import type { Hooks, Session, StartContext } from "../../runtime/mod.ts";
import type { Targets } from "./targets.ts";

/** A client and its target. */
export interface Pair {
  readonly client: Session<unknown>;
  readonly upstream: Session<Pair>;
  /** Who has said all that there is to say. */
  clientEnded: boolean;
  upstreamEnded: boolean;
}

/** What the target does to the client. The other half is in `proxy.ts`. */
const UPSTREAM: Hooks<Pair> = {
  data(session, chunk) {
    if (!session.state.client.write(chunk)) session.pause();
  },
  drain: ({ state }) => state.client.resume(),
  end({ state }) {
    state.upstreamEnded = true;
    state.client.end();
  },
  finish({ state }) {
    if (!over(state)) state.client.abort();
  },
};

/** The client will send no more: nor do we, to its target. */
export function clientEnds(pair: Pair): void {
  pair.clientEnded = true;
  pair.upstream.end();
}

/** Nothing is left of the client: what its target still has to say is for nobody. */
export function clientGone(pair: Pair): void {
  if (!over(pair)) pair.upstream.abort();
}

/** Both have ended in order, and what was written is on its way. */
function over({ clientEnded, upstreamEnded }: Pair): boolean {
  return clientEnded && upstreamEnded;
}

export class Streams {
  readonly #targets: Targets;
  readonly #connect: StartContext<unknown>["connect"];
  readonly #timeout: number;

  constructor(targets: Targets, connect: StartContext<unknown>["connect"], timeout: number) {
    this.#targets = targets;
    this.#connect = connect;
    this.#timeout = timeout;
  }

  /** Connects a client to a target. Nothing is read of it meanwhile. @throws PorticoError. */
  async open(client: Session<unknown>): Promise<Pair> {
    const pair = { client, clientEnded: false, upstreamEnded: false } as Pair;
    const options = { state: pair, timeout: this.#timeout };
    const upstream = await this.#targets.reach(
      client,
      (endpoint) => this.#connect(endpoint, UPSTREAM, options),
    );
    // Whatever it has said meanwhile is on its way to the client, whose room is now told to us.
    upstream.resume();
    return Object.assign(pair, { upstream });
  }
}
