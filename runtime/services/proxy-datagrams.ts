/**
 * The PROXY protocol of datagrams: each begins with a header of version 2, and is told of as its sender's. Answers go
 * to who has brought it, as they are. It stands between the socket and the pipeline, under every strategy.
 */
import { AccessRules } from "../core/access/rules.ts";
import type { Clock } from "../core/clock.ts";
import type { DatagramSocket, DatagramTable } from "../core/contract.ts";
import type { Address } from "../core/endpoint.ts";
import { messageOf, type PorticoError } from "../core/errors.ts";
import type { ProxyProtocolPlan } from "../core/plan.ts";
import { beginsVersion1, beginsVersion2, readProxyHeader } from "../core/prologue/proxy-header.ts";
import { told } from "../core/prologue/via.ts";
import type { Service } from "../core/service.ts";
import { KnownHeaders } from "./known-headers.ts";
import { BROKEN, LIAR, refuseArrival } from "./proxy-refusal.ts";

/** Reads the headers of what comes to one socket. */
export class ProxyDatagrams implements DatagramTable {
  readonly #plan: ProxyProtocolPlan;
  readonly #service: Service;
  readonly #clock: Clock;
  readonly #from: AccessRules;
  readonly #table: DatagramTable;
  readonly #known = new KnownHeaders();
  /** Who has sent the last one: adapters have one address for a peer. */
  #last: Address | undefined = undefined;
  #trusted = false;

  constructor(plan: ProxyProtocolPlan, service: Service, table: DatagramTable) {
    this.#plan = plan;
    this.#service = service;
    this.#clock = service.clock;
    this.#from = new AccessRules({ rules: plan.from, others: false });
    this.#table = table;
  }

  datagram(socket: DatagramSocket, bytes: Uint8Array, from: Address, to: Address): void {
    const trusted = this.#trusts(from);
    if (!trusted && this.#plan.mode === "require") return this.#wrong(bytes, from, to, "");
    if (!beginsVersion2(bytes)) {
      if (beginsVersion1(bytes)) {
        return this.#wrong(bytes, from, to, "a PROXY header of version 1 is for streams");
      }
      if (this.#plan.mode === "accept") return this.#table.datagram(socket, bytes, from, to);
      return this.#wrong(bytes, from, to, "there is no PROXY header");
    }
    if (!trusted) return this.#wrong(bytes, from, to, "");
    const length = this.#read(bytes, from, to);
    if (length < 0) return;
    const { remote, local } = this.#known;
    this.#table.datagram(socket, bytes.subarray(length), remote, local);
  }

  failure(socket: DatagramSocket, error: PorticoError): void {
    this.#table.failure(socket, error);
  }

  #trusts(from: Address): boolean {
    if (from !== this.#last || this.#from.timed) {
      this.#last = from;
      this.#trusted = this.#from.decide(from, this.#clock.wall()).served;
    }
    return this.#trusted;
  }

  /** Bytes of its header, which is the found one of those that are known; -1 when it was refused. */
  #read(bytes: Uint8Array, from: Address, to: Address): number {
    const known = this.#known.find(bytes, from, to);
    if (known > 0) return known;
    try {
      const header = readProxyHeader(bytes);
      if (typeof header === "object") {
        this.#known.add(
          bytes,
          header.length,
          { remote: from, local: to },
          told({ remote: from, local: to }, header),
        );
        return header.length;
      }
      this.#wrong(bytes, from, to, "a PROXY header is longer than its datagram");
    } catch (error) {
      this.#wrong(bytes, from, to, messageOf(error));
    }
    return -1;
  }

  /** Whoever is trusted has made a mistake, anybody else a try: or somebody in his name, as of any datagram. */
  #wrong({ length }: Uint8Array, remote: Address, local: Address, message: string): void {
    const { counters } = this.#service;
    counters.datagramsIn++;
    counters.bytesIn += length;
    const origin = { remote, local };
    if (this.#trusted) refuseArrival(this.#service, "datagram", origin, BROKEN, { message });
    else refuseArrival(this.#service, "datagram", origin, LIAR);
  }
}
