/**
 * The handshakes of https, which are over before there is a request, and so a session: they have their place among
 * `limits.handshakes` and the time of `limits.handshake` as those of streams have. Of one that comes to nothing there is a
 * record, under a number of its own.
 */
import type { Refusal } from "../admission/candidate.ts";
import type { Timer } from "../clock.ts";
import type { PorticoError } from "../errors.ts";
import type { Handshake, HandshakeTable } from "../exchange.ts";
import type { Fields } from "../record.ts";
import { recordRefusal } from "../records.ts";
import type { Service } from "../service.ts";
import { FAILED } from "./handshake.ts";
import type { Awaited, Handshakes } from "./handshakes.ts";

export class RequestHandshakes implements HandshakeTable {
  readonly #service: Service;
  readonly #all: Handshakes;
  /** In the order of arrival, so that the first is due first. */
  readonly #open: Set<RequestHandshake> = new Set();
  #timer: Timer | undefined = undefined;

  /** @param service one that speaks TLS. */
  constructor(service: Service) {
    this.#service = service;
    this.#all = service.handshakes!;
  }

  // What the adapter tells.

  arrive(connection: Handshake): void {
    const { clock } = this.#service;
    const one = new RequestHandshake(this, connection, clock.now());
    connection.data = one;
    this.#open.add(one);
    this.#arm();
    this.#all.enter(one);
  }

  done({ data }: Handshake): void {
    this.#leave(data as RequestHandshake, true);
  }

  failed({ data }: Handshake, error: PorticoError | undefined): void {
    const one = data as RequestHandshake;
    if (!this.#leave(one)) return;
    if (error === undefined) this.#record(one, { limit: "drain" });
    else if (error.code === "TLS_FAILED") this.#record(one, FAILED, { message: error.message });
  }

  /** It is closed, for a limit. */
  refuse(one: RequestHandshake, why: Refusal): void {
    if (!this.#leave(one)) return;
    // When it has gone, nobody knows any more where it was.
    void one.connection.remote;
    one.connection.abort();
    this.#record(one, why);
  }

  #leave(one: RequestHandshake, done = false): boolean {
    if (!this.#open.delete(one)) return false;
    this.#all.leave(one, done);
    if (this.#open.size === 0) {
      this.#service.clock.clear(this.#timer);
      this.#timer = undefined;
    }
    return true;
  }

  #record({ connection: { remote, local } }: RequestHandshake, why: Refusal, more?: Fields): void {
    const session = { id: this.#service.nextId(), kind: "http", remote, local } as const;
    this.#service.countRefusal(why, session);
    const gone = { ...session, bytesIn: 0, bytesOut: 0, reason: undefined };
    recordRefusal(this.#service, "info", gone, why, more);
  }

  #arm(): void {
    const { clock, plan: { limits: { handshake } } } = this.#service;
    const [first] = this.#open;
    if (this.#timer !== undefined || first === undefined || handshake === Infinity) return;
    this.#timer = clock.setTimeout(() => {
      this.#timer = undefined;
      const now = clock.now();
      for (const one of this.#open) {
        if (one.since + handshake > now) break;
        this.refuse(one, { limit: "handshake" });
      }
      this.#arm();
    }, Math.max(1, first.since + handshake - clock.now()));
  }
}

class RequestHandshake implements Awaited {
  readonly connection: Handshake;
  readonly since: number;
  begun = 0;
  readonly #table: RequestHandshakes;

  constructor(table: RequestHandshakes, connection: Handshake, since: number) {
    this.#table = table;
    this.connection = connection;
    this.since = since;
  }

  begin(now: number): void {
    this.begun = now;
    this.connection.begin();
  }

  /** Nothing is read before it begins. */
  pause(): void {}

  giveWay(): void {
    this.#table.refuse(this, { limit: "handshakes" });
  }
}
