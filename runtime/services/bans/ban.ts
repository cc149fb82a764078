/** What a ban is. */
import { type Network, networkOf, parseNetwork } from "./network.ts";
import type { SourcePrefixes } from "../../core/access/source.ts";
import type { Address } from "../../core/endpoint.ts";
import { PorticoError } from "../../core/errors.ts";
import type { Level } from "../../core/record.ts";

/** One ban; times are ms since 1970, `for` is ms, Infinity until it is lifted. */
export interface Ban {
  readonly source: string;
  readonly since: number;
  readonly for: number;
  readonly cause: string;
  /** Of the service that has made it; none where an operator has. */
  readonly service?: string;
}

/** One that is in force. */
export interface BanInForce extends Ban {
  /** When it ends, in ms since 1970; Infinity for one that does not. */
  readonly until: number;
  /** How many it has refused here. */
  readonly refused: number;
}

/** What has become of the table: somebody is banned, or not any more. */
export type BanChange = { readonly ban: Ban } | { readonly unban: string };

/** Writes a record about the services, or one of them. */
export type Tell = (
  level: Level,
  event: "ban" | "unban",
  fields: Readonly<Record<string, unknown>> & { readonly service?: string },
) => void;

/** A source by its name in records; its transport where nobody can tell it from others. */
export function nameOf(remote: Address, prefixes: SourcePrefixes): string {
  const { host, transport } = remote;
  if (prefixes.ipv4 === 32 && host !== "" && host.indexOf(":") < 0) return host;
  return networkOf(remote, prefixes)?.text ?? transport;
}

/** @throws PorticoError USAGE. */
export function networkFrom(text: string): Network {
  try {
    return parseNetwork(text);
  } catch {
    const what = JSON.stringify(text.slice(0, 100));
    throw new PorticoError("USAGE", `${what} is no source: ADDRESS, ADDRESS/PREFIX or uid:N`);
  }
}
