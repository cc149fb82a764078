/** Sockets that outlive the service, or the server, that has opened them. */
import { lstatSync, unlinkSync } from "node:fs";
import { resolve } from "node:path";
import type { Features } from "../core/contract.ts";
import type { Descriptors, Inherited } from "../core/descriptors.ts";
import type { UnixEndpoint } from "../core/endpoint.ts";
import type { ListenPlan, ServicePlan } from "../core/plan.ts";

/** The sockets of one service, by the text of their endpoint. */
export type SocketsByText = Map<string, Inherited[]>;

/** Sockets that are handed on: by service, then by the text of the endpoint. */
export type Handover = Map<string, SocketsByText>;

/**
 * Distributes them: to each service the sockets that it had before, then those that their former
 * service has no use for any more, as after a change of its name; at last those of the same path that is
 * written in another way. What nobody wants stays where it is.
 */
export function distribute(handover: Handover, plans: readonly ServicePlan[]): Handover {
  const distributed: Handover = new Map(plans.map(({ name }) => [name, new Map()]));
  const give = (name: string, text: string, from: string, former = text): void => {
    const sockets = handover.get(from)?.get(former);
    if (sockets === undefined || distributed.get(name)!.has(text)) return;
    handover.get(from)!.delete(former);
    distributed.get(name)!.set(text, sockets);
  };
  const each = (visit: (name: string, listen: ListenPlan) => void): void => {
    for (const { name, listen } of plans) for (const each of listen) visit(name, each);
  };
  each((name, { text }) => give(name, text, name));
  each((name, { text }) => {
    for (const from of handover.keys()) give(name, text, from);
  });
  each((name, { text, endpoint }) => {
    if (!("path" in endpoint) || distributed.get(name)!.has(text)) return;
    for (const [from, sockets] of handover) {
      for (const [other, [socket]] of sockets) {
        if (socket === undefined || !isAt(socket, endpoint)) continue;
        return give(name, text, from, other);
      }
    }
  });
  return distributed;
}

/** Whether a socket is bound to this path, however both are written. */
function isAt({ transport, address }: Inherited, endpoint: UnixEndpoint): boolean {
  const whole = (path: string): string => path.startsWith("@") ? path : resolve(path);
  return transport === endpoint.transport && whole(address.path) === whole(endpoint.path);
}

/**
 * How a socket is taken over: what its former service may have set unasked, as a service behind a balancer does, is
 * taken back where nobody asks for it. A socket that somebody else has made stays as it is.
 */
export function handedOver(
  listen: ListenPlan,
  { transport }: Pick<Inherited, "transport">,
  { options: supported }: Pick<Features, "options">,
): ListenPlan {
  const ours = listen.endpoint.transport === "tcp" && transport === "tcp";
  if (!ours || supported.deferAccept?.tcp !== true) return listen;
  return { ...listen, options: { deferAccept: 0, ...listen.options } };
}

/** Closes what nobody has taken. */
export function closeHandover(handover: Handover, descriptors: Pick<Descriptors, "close">): void {
  for (const sockets of handover.values()) {
    for (const list of sockets.values()) for (const { fd } of list) descriptors.close(fd);
  }
}

/**
 * Removes the files of sockets that nobody has taken, and that their former server leaves to us.
 * Nobody else can have come to such a path as long as that one has the socket open.
 */
export function removeFiles(handover: Handover): void {
  const paths = [...handover.values()].flatMap((sockets) => [...sockets.values()].flat())
    .filter(({ owned, address }) => owned && address.path !== "")
    .map(({ address }) => address.path);
  for (const path of paths) {
    if (lstatSync(path, { throwIfNoEntry: false })?.isSocket()) unlinkSync(path);
  }
}
