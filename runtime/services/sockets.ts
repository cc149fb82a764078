/** The sockets of one service: opened by name or taken over, suspended, handed on, closed. */
import type { BindableEndpoint, DatagramSocket, Listener } from "../core/contract.ts";
import { SYSTEM_CLOCK } from "../core/clock.ts";
import type { HttpListener } from "../core/exchange.ts";
import type { Descriptors, Inherited } from "../core/descriptors.ts";
import { type Address, kindOf } from "../core/endpoint.ts";
import { PorticoError } from "../core/errors.ts";
import type { ListenPlan } from "../core/plan.ts";
import type { Totals } from "../core/totals.ts";
import { handedOver } from "./handover.ts";
import {
  type FoundSocket,
  type Host,
  ListenError,
  type Opener,
  type Takeover,
} from "./contract.ts";

interface Entry {
  readonly listen: ListenPlan;
  readonly transport: Inherited["transport"];
  readonly address: Address;
  /** The socket file is ours to remove. */
  readonly owned: boolean;
  /** Somebody else has had it before us. */
  readonly handed: boolean;
  readonly kind: ReturnType<typeof kindOf>;
  socket: Listener | DatagramSocket;
  /** While it is suspended: the socket, which nobody reads. */
  kept: Inherited | undefined;
}

/** How long HTTP peers that have connected may take to ask, and be answered, when a successor goes on, in ms. */
export const LAST_REQUESTS = 1500;

export class Sockets {
  readonly #host: Host;
  readonly #opener: Opener;
  readonly #totals: Totals;
  readonly #opened: (address: Address) => void;
  readonly #entries: Entry[] = [];
  readonly #abandoned: Set<string> = new Set();
  #descriptors: Descriptors | undefined = undefined;
  /** HTTP listeners that are open, or have requests under way. */
  readonly #serving: Set<HttpListener> = new Set();
  /** Datagram sockets that were suspended while answers were owed. */
  #answering: DatagramSocket[] = [];

  /** @param opened is told of each that is open. */
  constructor(host: Host, opener: Opener, totals: Totals, opened: (address: Address) => void) {
    this.#host = host;
    this.#opener = opener;
    this.#totals = totals;
    this.#opened = opened;
  }

  get addresses(): readonly Address[] {
    return this.#entries.map(({ address }) => address);
  }

  /** Where there are files that are ours to remove. */
  get owned(): readonly Address[] {
    return this.#entries.filter(({ owned }) => owned).map(({ address }) => address);
  }

  /**
   * Opens one endpoint of the manifest, or takes over its sockets.
   *
   * @throws PorticoError; all that was opened is closed then, but for the files of those that were
   * taken over: whoever had them goes on.
   */
  async open(listen: ListenPlan, takeover: Takeover): Promise<void> {
    try {
      await this.#open(listen, takeover);
    } catch (error) {
      const opened = this.#entries.splice(0);
      await Promise.all(opened.map((entry) => {
        this.#host.ownSockets.remove(entry.address);
        return entry.socket.close(entry.handed);
      }));
      throw error instanceof PorticoError ? new ListenError(listen, error) : error;
    }
  }

  async #open(listen: ListenPlan, takeover: Takeover): Promise<void> {
    const { endpoint, text } = listen;
    // Of a text that is there twice, all sockets were taken over the first time.
    if (this.#entries.some((entry) => entry.handed && entry.listen.text === text)) return;
    const handed = takeover.sockets.get(text);
    if (handed !== undefined && handed.length > 0) {
      while (handed.length > 0) {
        // It is the adapter's from here on.
        const socket = handed.shift()!;
        await this.#add(socket, listen, { owned: socket.owned, handed: true });
      }
      return;
    }
    if (!("name" in endpoint)) {
      const owned = "path" in endpoint && !endpoint.path.startsWith("@");
      return await this.#add(endpoint as BindableEndpoint, listen, { owned, handed: false });
    }
    for (const found of await this.#host.inherit(listen)) await this.#take(found, listen);
  }

  async #take(found: FoundSocket, listen: ListenPlan): Promise<void> {
    if (found.kind !== "connection") {
      return await this.#add(found.socket, listen, { owned: false, handed: true });
    }
    await this.#opener.adopt(found.fd, found.origin, listen);
  }

  async #add(
    endpoint: BindableEndpoint,
    listen: ListenPlan,
    whose: Pick<Entry, "owned" | "handed">,
  ): Promise<void> {
    const kind = kindOf(endpoint.transport);
    // What somebody else has opened is known here only. In clear is not what was asked for.
    if (kind === "datagram" && listen.tls !== undefined) {
      const text = `${listen.text} is a datagram socket; TLS is spoken on streams only`;
      throw new PorticoError("NOT_SUPPORTED", text, { side: "config" });
    }
    const { features } = this.#host.adapter;
    const how = "fd" in endpoint && whose.handed ? handedOver(listen, endpoint, features) : listen;
    const socket = await this.#openSocket(endpoint, how, kind);
    const { address } = socket;
    this.#host.ownSockets.add(address);
    if ("send" in socket) this.#totals.meet(socket.losses?.(), whose.handed);
    const transport = endpoint.transport as Inherited["transport"];
    const kept = undefined;
    this.#entries.push({ listen, transport, address, kind, socket, kept, ...whose });
    this.#opened(address);
  }

  async #openSocket(
    endpoint: BindableEndpoint,
    listen: ListenPlan,
    kind: Entry["kind"],
  ): Promise<Listener | DatagramSocket> {
    if (kind === "stream") return await this.#opener.listen(endpoint, listen);
    if (kind === "datagram") return await this.#opener.bind(endpoint, listen);
    const listener = await this.#opener.serve(endpoint, listen);
    this.#serving.add(listener);
    void listener.over.then(() => void this.#serving.delete(listener));
    return listener;
  }

  /** Resolves when HTTP peers that connected before the close have been answered, or after `limit` ms. */
  async settled(limit: number): Promise<void> {
    const late = Promise.withResolvers<void>();
    const clock = this.#host.clock ?? SYSTEM_CLOCK;
    const timer = clock.setTimeout(late.resolve, limit);
    await Promise.race([Promise.all([...this.#serving].map(({ over }) => over)), late.promise]);
    clock.clear(timer);
  }

  /** Cuts the requests that are under way at listeners that are closed. */
  abortRequests(): void {
    for (const listener of this.#serving) {
      if (!this.#entries.some(({ socket, kept }) => socket === listener && kept === undefined)) {
        listener.abort();
      }
    }
  }

  /** Counts what the kernel has dropped of datagrams up to now. */
  countLosses(): void {
    for (const { socket } of this.#entries) {
      if ("send" in socket) this.#totals.countLost(socket.losses?.());
    }
  }

  /** See {@link RunningService.duplicates}. */
  async duplicates(): Promise<Map<string, Inherited[]>> {
    const made = new Map<string, Inherited[]>();
    for (const entry of this.#entries) {
      const list = made.get(entry.listen.text) ?? [];
      list.push(await this.#duplicate(entry));
      made.set(entry.listen.text, list);
    }
    return made;
  }

  async #duplicate({ socket, kept, transport, address, owned }: Entry): Promise<Inherited> {
    const fd = kept === undefined
      ? await socket.duplicate()
      : (await this.#host.adapter.descriptors()).duplicate(kept.fd);
    return { transport, fd, address, owned };
  }

  /** Lets nobody in; the sockets stay open. @throws PorticoError NOT_SUPPORTED without descriptors. */
  async suspend(): Promise<void> {
    // To close one that is suspended has to be possible at any time.
    this.#descriptors = await this.#host.adapter.descriptors();
    for (const entry of this.#entries) {
      if (entry.kept !== undefined) continue;
      entry.kept = await this.#duplicate(entry);
      if ("send" in entry.socket) {
        await entry.socket.stopReceiving();
        this.#answering.push(entry.socket);
      } else await entry.socket.close(true);
    }
  }

  /** Lets newcomers in again, those first who have waited. */
  async resume(): Promise<void> {
    for (const entry of this.#entries) {
      const { kept, listen, kind } = entry;
      if (kept === undefined) continue;
      entry.kept = undefined;
      const before = entry.socket;
      entry.socket = await this.#openSocket(kept, listen, kind);
      // Answers that are still owed go out by the new one.
      if ("send" in before) before.data = entry.socket;
    }
    await this.#closeAnswering();
  }

  /** See {@link RunningService.abandon}. */
  async abandon(texts: readonly string[]): Promise<void> {
    for (const text of texts) this.#abandoned.add(text);
    await Promise.all(this.#entries.map(async ({ listen, socket, kept }) => {
      if (!this.#abandoned.has(listen.text) || kept !== undefined) return;
      if (!("send" in socket)) await socket.close();
    }));
  }

  #keeps({ listen }: Entry, keep: boolean): boolean {
    return keep && !this.#abandoned.has(listen.text);
  }

  /** Lets nobody in any more; answers to datagrams can still be sent. */
  async shut(keep: boolean): Promise<void> {
    await Promise.all(this.#entries.map(async (entry) => {
      const { socket, kept } = entry;
      if (kept !== undefined) return;
      const keeps = this.#keeps(entry, keep);
      if (!("send" in socket)) await socket.close(keeps);
      else if (keeps) await socket.stopReceiving();
    }));
  }

  /** Closes what is left. */
  async close(keep: boolean): Promise<void> {
    this.countLosses();
    await this.#closeAnswering();
    await Promise.all(this.#entries.map(async (entry) => {
      const { kept, listen, kind } = entry;
      entry.kept = undefined;
      // Whoever has opened a socket's file knows how to remove it.
      const keeps = this.#keeps(entry, keep);
      if (kept !== undefined && entry.owned && !keeps) {
        entry.socket = await this.#openSocket(kept, listen, kind);
      } else if (kept !== undefined) this.#descriptors?.close(kept.fd);
      await entry.socket.close(keeps);
      this.#host.ownSockets.remove(entry.address);
    }));
    for (const listener of this.#serving) listener.abort();
  }

  async #closeAnswering(): Promise<void> {
    const answering = this.#answering;
    this.#answering = [];
    await Promise.all(answering.map((socket) => socket.close(true)));
  }
}
