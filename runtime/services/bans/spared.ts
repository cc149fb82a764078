import type { Network } from "./network.ts";
import { AccessRules } from "../../core/access/rules.ts";
import { Address, KnownPeer } from "../../core/endpoint.ts";
import type { AccessRule } from "../../core/plan.ts";

/** Who is never banned. */
export class Spared {
  readonly #rules: AccessRules | undefined;

  /** @param never whom it is about, whatever the rules say is done. */
  constructor(never: readonly AccessRule[] = []) {
    const rules = never.map((rule): AccessRule => ({ ...rule, action: "deny" }));
    this.#rules = rules.length === 0 ? undefined : new AccessRules({ rules, others: true });
  }

  has(remote: Address): boolean {
    return this.#rules?.decide(remote, 0).served === false;
  }

  /** Whether a network is one peer, who is among them. */
  is({ family, length, text }: Network): boolean {
    if (this.#rules === undefined) return false;
    if (family === 0) {
      const unix = new Address("unix", "", 0, "");
      return this.has(new KnownPeer(unix, { uid: Number(text.slice(4)), gid: -1, pid: 0 }));
    }
    return length === (family === 4 ? 32 : 128) && this.has(new Address("tcp", text, 0, ""));
  }
}
