/** What knows names, of one server: made when the first rule asks for one. */
import type { Names } from "../core/names/rules.ts";
import type { Clock } from "../core/clock.ts";
import type { ResolverPlan } from "../core/plan.ts";
import type { DnsResolver } from "./dns.ts";
import type { Net } from "./exchange.ts";

export class ServerNames {
  /** Of the manifest that is in force; a reload may change it. */
  plan: ResolverPlan;
  readonly #net: Net;
  readonly #clock: Clock;
  #resolver: DnsResolver | undefined = undefined;
  #names: Promise<Names> | undefined = undefined;

  constructor(net: Net, plan: ResolverPlan, clock: Clock) {
    this.#net = net;
    this.plan = plan;
    this.#clock = clock;
  }

  readonly get = (): Promise<Names> => this.#names ??= this.#make();

  async #make(): Promise<Names> {
    const [{ DnsResolver }, { HostNames }, { PeerNames }] = await Promise.all([
      import("./dns.ts"),
      import("../core/names/hosts.ts"),
      import("../core/names/peers.ts"),
    ]);
    const resolver = this.#resolver = new DnsResolver(this.#net, () => this.plan);
    return {
      hosts: new HostNames(resolver, this.#clock),
      peers: new PeerNames(resolver, this.#clock, () => this.plan.timeout),
    };
  }

  /** Whatever is asked for now is rejected. */
  close(): void {
    this.#resolver?.close();
  }
}
