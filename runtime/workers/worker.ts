/** The worker's side: runs one service on what the supervisor sends, and tells what becomes of it. */
import { lstatSync, unlinkSync } from "node:fs";
import type { Adapter, DatagramSocket } from "../core/contract.ts";
import type { Descriptors } from "../core/descriptors.ts";
import { Address } from "../core/endpoint.ts";
import { codeOf, messageOf, PorticoError } from "../core/errors.ts";
import { Gather } from "../core/stream/gather.ts";
import { hookError } from "../core/hooks.ts";
import { errorFields, Log } from "../core/log.ts";
import type { ServicePlan } from "../core/plan.ts";
import type { LogRecord } from "../core/record.ts";
import type { Recorded } from "../core/records.ts";
import { Room } from "../core/admission/room.ts";
import { checkOptions, loadPlugin } from "../modules/plugin.ts";
import { known } from "../services/credentials.ts";
import { Place } from "../services/instance.ts";
import { Lag } from "../metrics/lag.ts";
import { Account } from "./report.ts";
import { Channel } from "./channel.ts";
import type { Leash } from "./cpu-limit.ts";
import type { Order, OwnedFile, Parcel, Parts, Report } from "./messages.ts";

/** What a seat is given by its thread or process. */
export interface SeatInput {
  readonly adapter: Adapter;
  readonly descriptors: Descriptors;
  /** Ends of the channel and of the lane. Not the seat's to close. */
  readonly channel: number;
  readonly lane: number;
  /** Becomes who the manifest says: user, group, umask, priority. */
  readonly become: (plan: ServicePlan) => Promise<void>;
  readonly leash: Leash;
}

export class Seat {
  readonly #input: SeatInput;
  readonly #channel: Channel<Report, Order>;
  readonly #over = Promise.withResolvers<number>();
  readonly #senders: DatagramSocket[] = [];
  #files: readonly OwnedFile[] = [];
  #log: Log | undefined = undefined;
  #place: Place | undefined = undefined;
  /** The number of the session that is delivered now. */
  #id = 0;
  /** Sessions that are here. */
  readonly #live = new Set<number>();
  #account: Account | undefined = undefined;
  /** When somebody wants to know how late the event loop is. */
  #measures = false;
  #lag: Lag | undefined = undefined;
  #stopping = false;
  #service = "";
  /** Streams that were taken in this turn. */
  #taken = 0;

  constructor(input: SeatInput) {
    this.#input = input;
    this.#channel = new Channel<Report, Order>(
      (order) => this.#obey(order),
      () => this.#left(),
    );
  }

  /** Serves until the supervisor is done with it, or gone; resolves with the exit code. */
  async run(): Promise<number> {
    const { descriptors, channel } = this.#input;
    await this.#channel.open(descriptors, descriptors.duplicate(channel), channel);
    return await this.#over.promise;
  }

  /** What nobody caught. */
  report(thrown: unknown): void {
    const error = hookError(thrown);
    if (this.#place !== undefined) return this.#place.service.report(error);
    this.#log?.emit("error", "error", { service: this.#service, ...errorFields(error) });
  }

  /** Writes what has been said so far; the process ends. */
  flush(): void {
    this.#channel.finish();
  }

  #obey(order: Order): void {
    switch (order.type) {
      case "job":
        return void this.#begin(order);
      case "sockets":
        return this.#open(order.datagrams, order.files);
      case "take":
        return this.#take(order.id, order.remote, order.local);
      case "parcels":
        return order.parcels.forEach((parcel) => this.#deliver(parcel));
      case "stop":
        return void this.#stop(order.limit);
      case "ping":
        return this.#channel.send({ type: "pong", ...this.#account!.settle() });
      case "measure":
        return this.#measure();
    }
  }

  async #begin({ plan, wanted, ids, measure }: Extract<Order, { type: "job" }>): Promise<void> {
    try {
      const { adapter, become, leash } = this.#input;
      this.#service = plan.name;
      const sink = { write: (record: LogRecord) => this.#record(record) };
      const outlets = wanted === undefined ? [] : [{ name: "supervisor", sink, ...wanted }];
      const log = this.#log = new Log(outlets, () => {});
      await become(plan);
      const plugin = await loadPlugin(plan.plugin);
      const check = await checkOptions(plugin, plan.options);
      if (!("options" in check)) throw new PorticoError("PLUGIN_OPTIONS");
      this.#channel.send({ type: "loaded" });
      // The start may keep the event loop.
      this.#channel.flush();
      leash.set(plan.limits.start);
      const unlimited = open(plan);
      const room = new Room(unlimited);
      const account = this.#account = new Account(room, (report) => this.#channel.send(report));
      this.#place = await Place.start({
        ready: { plan: unlimited, plugin, options: check.options, log },
        host: { adapter, gather: new Gather(adapter), nextId: () => this.#id },
        nextOwnId: () => ++ids,
        room,
        observer: {
          turned: ({ id }) => this.#channel.send({ type: "turned", id }),
          gone: (session) => this.#gone(session),
          counted: () => account.soon(),
        },
      });
      leash.set(plan.limits.stall);
      if (measure || this.#measures) this.#measure();
      this.#channel.send({ type: "ready" });
    } catch (error) {
      const { code, message, side } = error instanceof PorticoError
        ? error
        : new PorticoError(codeOf(error) ?? "START_FAILED", messageOf(error));
      this.#channel.send({ type: "failed", code, message, side });
      this.#channel.end();
    }
  }

  /**
   * Records leave at once: what is logged before a crash is not lost. With `close` follows that the
   * place is free: who reads the one shall find the other.
   */
  #record(record: LogRecord): void {
    try {
      this.#channel.send({ type: "record", record });
    } catch {
      // A field that cannot be cloned, as a function: what JSON makes of it can.
      this.#channel.send({ type: "record", record: JSON.parse(JSON.stringify(record)) });
    }
    if (record.event !== "close") this.#channel.flush();
  }

  #open(datagrams: readonly Parts[], files: readonly OwnedFile[]): void {
    const { descriptors, lane } = this.#input;
    this.#files = files;
    for (const parts of datagrams) {
      const fd = descriptors.take(lane, true);
      this.#senders.push(descriptors.sender(fd, toAddress(parts), this.#place!.packets.table));
    }
  }

  #take(id: number, remote: Parts, local: Parts): void {
    const { descriptors, lane } = this.#input;
    const fd = descriptors.take(lane, true);
    const place = this.#place!;
    this.#arrived(id);
    if (this.#taken++ === 0) queueMicrotask(() => this.#tellTaken());
    const plain = { remote: toAddress(remote), local: toAddress(local) };
    const asks = this.#log!.asksUser && plain.remote.transport === "unix";
    const origin = asks ? known(descriptors, fd, plain) : plain;
    if (place.takings !== undefined) {
      // Its hook runs at once: whatever it does, it is not to be served twice.
      this.#tellTaken();
      this.#channel.flush();
      return place.takings.arrive(fd, origin, id);
    }
    descriptors.adopt(fd, origin, place.streams.table, id).catch(() => {
      // It has gone on the way; nobody has seen it.
      this.#gone({ id });
    });
  }

  #tellTaken(): void {
    const count = this.#taken;
    this.#taken = 0;
    if (count > 0) this.#channel.send({ type: "taken", count });
  }

  #deliver({ id, socket, from, bytes }: Parcel): void {
    const { packets } = this.#place!;
    this.#arrived(id);
    this.#id = id;
    packets.table.datagram(this.#senders[socket]!, bytes, toAddress(from));
  }

  #gone({ id }: Pick<Recorded, "id">): void {
    if (this.#live.delete(id)) this.#channel.send({ type: "gone", id, ...this.#account!.take() });
  }

  #arrived(id: number): void {
    this.#live.add(id);
    this.#lag?.start();
  }

  // What is counted.

  /** From now on, while there are sessions: one that has nothing to do is not woken up. */
  #measure(): void {
    this.#measures = true;
    const tally = this.#place?.service.room.tally;
    // It is asked again when it has begun.
    if (tally === undefined || this.#lag !== undefined) return;
    this.#lag = new Lag(tally.delays, () => {
      tally.changes++;
      this.#account!.flow();
      return this.#live.size > 0;
    });
    if (this.#live.size > 0) this.#lag.start();
  }

  async #stop(limit: number): Promise<void> {
    const place = this.#place;
    if (this.#stopping) {
      place?.hurry();
      return void await place?.drain(limit);
    }
    this.#stopping = true;
    if (place !== undefined) {
      await place.drain(limit);
      await Promise.all(this.#senders.map((sender) => sender.close(true)));
      await place.end();
      this.#lag?.close();
      this.#channel.send({ type: "stopped", ...this.#account!.take() });
    }
    this.#channel.end();
  }

  /** The channel is closed. Without having been asked to stop, that means that the supervisor is no more. */
  #left(): void {
    if (!this.#stopping) { for (const file of this.#files) remove(file); }
    this.#over.resolve(this.#stopping ? 0 : 1);
  }
}

/** Limits, turns and access are the supervisor's affair. */
function open(plan: ServicePlan): ServicePlan {
  const rate = { count: Infinity, per: 1000 };
  return {
    ...plan,
    limits: { ...plan.limits, sessions: Infinity, perSource: Infinity, rate },
    concurrency: { ...plan.concurrency, max: Infinity },
    access: { allow: [], deny: [] },
  };
}

function toAddress([transport, host, port, path]: Parts): Address {
  return new Address(transport, host, port, path);
}

/** Removes a socket file whose owner was killed, if it is still the same. */
function remove({ path, dev, ino }: OwnedFile): void {
  try {
    const stat = lstatSync(path);
    if (stat.dev === dev && stat.ino === ino) unlinkSync(path);
  } catch {
    // It is gone already: another worker, or the supervisor itself.
  }
}
