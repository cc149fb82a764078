/** A peer whom a balancer has told of: its own address, and the way that it came. */
import { Address } from "../endpoint.ts";
import type { ProxyHeader, ProxyValues } from "./proxy-header.ts";

/** The way that a peer came, as the PROXY header of a balancer says. */
export interface Via extends ProxyValues {
  /** Who has told: the balancer, at the end of the connection that is served. */
  readonly remote: Address;
  /** The address of ours that the balancer has connected to. */
  readonly local: Address;
  readonly version: 1 | 2;
}

/** The address of such a peer. */
export class ProxiedPeer extends Address {
  readonly via: Via;

  constructor({ transport, host, port, path }: Address, via: Via) {
    super(transport, host, port, path);
    this.via = via;
  }
}

/** Where a connection comes from, after what its balancer says. */
export interface Told {
  readonly remote: Address;
  readonly local: Address;
}

/** The peer and its way; the balancer itself, where that says nothing of anybody else. */
export function told(from: Told, { version, remote, local, values }: ProxyHeader): Told {
  if (remote === undefined || local === undefined) return from;
  const via = { remote: from.remote, local: from.local, version, ...values };
  // Headers know TCP alone: what is spoken over it is known here.
  const { transport } = from.local;
  if (transport !== "tls") return { remote: new ProxiedPeer(remote, via), local };
  return { remote: new ProxiedPeer(spoken(remote), via), local: spoken(local) };
}

function spoken({ transport, host, port, path }: Address): Address {
  return new Address(transport === "tcp" ? "tls" : transport, host, port, path);
}

/** The way of a peer; undefined of one that came by itself. */
export function viaOf(remote: Address): Via | undefined {
  return remote instanceof ProxiedPeer ? remote.via : undefined;
}
