import { SYSTEM_CLOCK } from "../core/clock.ts";
import { OwnSockets } from "../core/admission/own-sockets.ts";
import { Bans } from "../services/bans/bans.ts";
import { Gather } from "../core/stream/gather.ts";
import { LoadMeter } from "../services/load.ts";
import type { Host } from "../services/contract.ts";

/** What services share that a server makes itself. */
type Made = "gather" | "nextId" | "ownSockets" | "bans" | "load";

/** Numbers the sessions of this process. */
let sessions = 0;

/** All that the services of one server share. */
export function completeHost(given: Omit<Host, Made>): Host & { readonly bans: Bans } {
  const { adapter } = given;
  const { now } = adapter;
  const clock = given.clock ?? (now === undefined ? SYSTEM_CLOCK : { ...SYSTEM_CLOCK, now });
  return {
    ...given,
    clock,
    gather: new Gather(adapter),
    nextId: () => ++sessions,
    bans: new Bans(clock),
    ownSockets: new OwnSockets((address) => adapter.ownsAddress(address)),
    load: new LoadMeter(clock),
  };
}
