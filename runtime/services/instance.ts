/**
 * One place where a service lives, in this thread: the plugin started once, and the ways that its
 * sessions take. Where the sockets are, here or in another process, is not its affair.
 */
import { LAST_WORDS } from "../core/stream/drain.ts";
import { hookError, makeLogger, startPlugin } from "../core/hooks.ts";
import { Outgoing } from "../core/outgoing.ts";
import { Packets } from "../core/datagram/pipeline.ts";
import { Pipeline } from "../core/stream/pipeline.ts";
import type { Hooks } from "../core/plugin.ts";
import { Requests } from "../core/http/pipeline.ts";
import type { Room } from "../core/admission/room.ts";
import { type Observer, Service } from "../core/service.ts";
import { Takings } from "../core/handoff/pipeline.ts";
import { scopeOf } from "./scope.ts";
import type { Host, ReadyService } from "./contract.ts";

/** What a place is made of. */
export interface PlaceInput {
  readonly ready: ReadyService;
  readonly host: Pick<Host, "adapter" | "gather" | "nextId" | "operator">;
  /** Gives the next number of a session that the plugin opens itself; as others' when silent. */
  readonly nextOwnId?: Host["nextId"];
  readonly room?: Room | undefined;
  readonly observer?: Observer;
}

export class Place {
  readonly service: Service;
  readonly streams: Pipeline;
  readonly packets: Packets;
  readonly requests: Requests;
  /** The way of streams whose plugin takes the descriptor itself. */
  readonly takings: Takings | undefined;
  readonly #outgoing: Outgoing;
  readonly #ending: AbortController;
  readonly #hurried = Promise.withResolvers<void>();

  private constructor(
    service: Service,
    outgoing: Outgoing,
    takings: Takings | undefined,
    ending: AbortController,
  ) {
    this.service = service;
    this.#outgoing = outgoing;
    this.#ending = ending;
    this.streams = new Pipeline(service);
    this.packets = new Packets(service);
    this.requests = new Requests(service);
    this.takings = takings;
  }

  /** Starts the plugin. @throws PorticoError START_FAILED, START_TIMEOUT, PLUGIN_INVALID. */
  static async start({ ready, host, nextOwnId, room, observer }: PlaceInput): Promise<Place> {
    const { plan, plugin, options, log } = ready;
    const { adapter, gather, nextId } = host;
    const ending = new AbortController();
    const { lends } = adapter.features;
    const outgoing = new Outgoing(
      { plan, log, gather, lends, nextId: nextOwnId ?? nextId },
      adapter,
    );
    const context = {
      options,
      service: plan.name,
      folder: plan.folder,
      log: makeLogger(log, plan.name),
      signal: ending.signal,
      scope: scopeOf(plan.concurrency.strategy),
      connect: outgoing.connect,
      ...(host.operator !== undefined && plan.admin && { server: host.operator }),
    };
    let hooks: Hooks<unknown>;
    try {
      hooks = await startPlugin(plugin.name, () => plugin.start(context), plan.limits.start);
    } catch (error) {
      await outgoing.drain(0);
      throw error;
    }
    const service = new Service({ plan, hooks, log, gather, lends, nextId, room, observer });
    if (hooks.take === undefined) return new Place(service, outgoing, undefined, ending);
    try {
      return new Place(
        service,
        outgoing,
        new Takings(service, await adapter.descriptors()),
        ending,
      );
    } catch (error) {
      await new Place(service, outgoing, undefined, ending).end();
      throw error;
    }
  }

  /** Sessions held or served now. */
  get live(): number {
    return this.streams.deadlines.count + this.packets.live + this.requests.live +
      (this.takings?.live ?? 0);
  }

  /** Those of them that wait for their turn, or for room. */
  get held(): number {
    return this.streams.deadlines.held + this.packets.held + this.requests.held +
      (this.takings?.held ?? 0);
  }

  /** Lets the sessions end, for up to `limit` ms. To `keep` those that wait: they are served too. */
  async drain(limit: number, keep = false): Promise<void> {
    await Promise.all([
      this.streams.drain(limit, keep),
      this.packets.drain(limit),
      this.requests.drain(limit, keep),
      this.takings?.drain(limit, keep),
    ]);
  }

  /** Takes newcomers again, after a drain. */
  reopen(): void {
    this.streams.reopen();
    this.streams.deadlines.recall();
    this.packets.reopen();
    this.requests.reopen();
    this.takings?.reopen();
  }

  /** The plugin's `stop` must not take as long as it likes any more. */
  hurry(): void {
    this.#hurried.resolve();
  }

  /** Runs the plugin's `stop`. To be called once, when no session is left. */
  async end(): Promise<void> {
    const { hooks } = this.service;
    this.service.room.meters.delete(this.streams.deadlines);
    this.#ending.abort(new DOMException("the service stops", "AbortError"));
    if (hooks.stop !== undefined) await this.#stopPlugin(() => hooks.stop!());
    // What the plugin has said upstream last still goes out.
    await this.#outgoing.drain(LAST_WORDS);
  }

  /** The plugin's `stop` has all the time that it wants, until somebody is in a hurry. */
  async #stopPlugin(stop: () => void | Promise<void>): Promise<void> {
    let over = false;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<never>((_, reject) => {
      const giveUp = (): void => reject(new Error(`stop did not return within ${LAST_WORDS} ms`));
      this.#hurried.promise.then(() => {
        if (!over) timer = setTimeout(giveUp, LAST_WORDS);
      });
    });
    try {
      await Promise.race([stop(), late]);
    } catch (error) {
      this.service.report(hookError(error));
    }
    over = true;
    clearTimeout(timer);
  }
}
