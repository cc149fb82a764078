/** Sockets that outlive the service, or the server, that has opened them. */
import { lstatSync, unlinkSync } from "node:fs";
import type { Descriptors, Inherited } from "../core/descriptors.ts";
import type { ServicePlan } from "../core/plan.ts";

/** The sockets of one service, by the text of their endpoint. */
export type Sockets = Map<string, Inherited[]>;

/** Sockets that are handed on: by service, then by the text of the endpoint. */
export type Estate = Map<string, Sockets>;

/**
 * Deals an estate out: to each service the sockets that it had before, then those that their former
 * service has no use for any more, as after a change of its name. What nobody wants stays in the estate.
 */
export function deal(estate: Estate, plans: readonly ServicePlan[]): Estate {
  const dealt: Estate = new Map(plans.map(({ name }) => [name, new Map()]));
  const give = (name: string, text: string, from: string): void => {
    const sockets = estate.get(from)?.get(text);
    if (sockets === undefined || dealt.get(name)!.has(text)) return;
    estate.get(from)!.delete(text);
    dealt.get(name)!.set(text, sockets);
  };
  const each = (visit: (name: string, text: string) => void): void => {
    for (const { name, listen } of plans) for (const { text } of listen) visit(name, text);
  };
  each((name, text) => give(name, text, name));
  each((name, text) => {
    for (const from of estate.keys()) give(name, text, from);
  });
  return dealt;
}

/** Closes what nobody has taken. */
export function closeEstate(estate: Estate, descriptors: Pick<Descriptors, "close">): void {
  for (const sockets of estate.values()) {
    for (const list of sockets.values()) for (const { fd } of list) descriptors.close(fd);
  }
}

/**
 * Removes the files of sockets that nobody has taken, and that their former server leaves to us.
 * Nobody else can have come to such a path as long as that one has the socket open.
 */
export function removeFiles(estate: Estate): void {
  const paths = [...estate.values()].flatMap((sockets) => [...sockets.values()].flat())
    .filter(({ owned, address }) => owned && address.path !== "")
    .map(({ address }) => address.path);
  for (const path of paths) {
    if (lstatSync(path, { throwIfNoEntry: false })?.isSocket()) unlinkSync(path);
  }
}
