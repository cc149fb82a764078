/** Peers of Unix streams who are asked for their credentials, since a sink, a rule or a limit wants to know them. */
import type { StreamTable } from "../core/contract.ts";
import type { AdmitTable, Descriptors, Origin } from "../core/descriptors.ts";
import { KnownPeer } from "../core/endpoint.ts";
import { PorticoError } from "../core/errors.ts";
import type { Log } from "../core/log.ts";
import { aboutAccounts, decidesByUser, type ServicePlan } from "../core/plan.ts";

/** Whether peers of a service's sockets of this transport are asked for their credentials. */
export function asksCredentials(
  transport: string,
  { log, plan }: { readonly log: Log; readonly plan: ServicePlan },
): boolean {
  return transport === "unix" && (log.asksUser || decidesByUser(plan));
}

/** @throws PorticoError NOT_SUPPORTED where rules are about users, and nobody can be asked who he is. */
export function checkCredentials(transport: string, { access }: ServicePlan, can: boolean): void {
  if (can || transport !== "unix" || !aboutAccounts(access)) return;
  throw new PorticoError(
    "NOT_SUPPORTED",
    "rules about users and groups of this machine need FFI, to ask the kernel who a peer is",
  );
}

/** The origin of a connection, with who it is. */
export function withCredentials(
  descriptors: Pick<Descriptors, "credentials">,
  fd: number,
  origin: Origin,
): Origin {
  const credentials = descriptors.credentials(fd);
  if (credentials === undefined) return origin;
  return { ...origin, remote: new KnownPeer(origin.remote, credentials) };
}

/** Tells a table who arrives. */
export function askingCredentials(
  descriptors: Pick<Descriptors, "credentials">,
  table: AdmitTable,
): AdmitTable {
  return {
    arrive: (fd, origin) => table.arrive(fd, withCredentials(descriptors, fd, origin)),
    failure: (error) => table.failure(error),
  };
}

/** Makes connections of what arrives, as a listener of the runtime does. */
export function connecting(
  descriptors: Pick<Descriptors, "adopt">,
  table: StreamTable,
): AdmitTable {
  return {
    arrive(fd, origin) {
      descriptors.adopt(fd, origin, table, undefined).catch(() => {
        // It has gone before it was served; nobody has seen it.
      });
    },
    failure: (error) => table.failure(error),
  };
}
