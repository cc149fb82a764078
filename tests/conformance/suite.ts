/**
 * The suite that every adapter passes: the rules of `contract.ts`, as cases by transport. What an
 * adapter does not offer is skipped with its own reason; its name is never asked.
 */
import type { Support } from "../../runtime/core/contract.ts";
import { adoption } from "./adoption.ts";
import { bursts, groups } from "./bursts.ts";
import { connecting } from "./connecting.ts";
import { datagrams } from "./datagrams.ts";
import { admissions } from "./descriptors.ts";
import { dialing } from "./dialing.ts";
import { endings } from "./endings.ts";
import { files } from "./files.ts";
import { flow } from "./flow.ts";
import { handover } from "./handover.ts";
import type { Harness, Tested } from "./harness.ts";
import { connectionLeaks, leaks } from "./leaks.ts";
import { binding, listeners } from "./listeners.ts";
import {
  datagramOptions,
  keepAlive,
  noDelay,
  protection,
  refusals,
  streamOptions,
} from "./options.ts";
import { inspections } from "./inspections.ts";
import { passing } from "./passing.ts";
import { secured } from "./secured.ts";
import { securedNames } from "./secured-names.ts";
import { securedOthers } from "./secured-openssl.ts";
import { securedPaused } from "./secured-paused.ts";
import { securedResets } from "./secured-resets.ts";
import { spawning } from "./programs.ts";
import type { Case } from "./stage.ts";
import { play } from "./stage.ts";
import { streams } from "./streams.ts";
import { tlsClients } from "./tls.ts";
import { unread } from "./unread.ts";

export const TRANSPORTS: readonly Tested[] = ["tcp", "unix", "udp", "unixgram"];

const FOR_ALL: readonly Case[] = [...binding, ...refusals, ...leaks];
const FOR_STREAMS: readonly Case[] = [
  ...streams,
  ...flow,
  ...endings,
  ...listeners,
  ...streamOptions,
  ...keepAlive,
  ...protection,
  ...noDelay,
  ...connectionLeaks,
  ...connecting,
  ...tlsClients,
  ...secured,
  ...securedNames,
  ...securedOthers,
  ...securedPaused,
  ...securedResets,
  ...unread,
  ...adoption,
  ...admissions,
  ...passing,
  ...inspections,
  ...spawning,
];
const FOR_DATAGRAMS: readonly Case[] = [
  ...datagrams,
  ...bursts,
  ...groups,
  ...datagramOptions,
  ...handover,
  ...dialing,
];

/** The cases of one transport. */
export function casesOf(transport: Tested): readonly Case[] {
  const stream = transport === "tcp" || transport === "unix";
  return [
    ...(stream ? FOR_STREAMS : FOR_DATAGRAMS),
    ...(transport.startsWith("unix") ? files : []),
    ...FOR_ALL,
  ].filter(({ only }) => only === undefined || only === transport);
}

/** Why a case cannot be played here; true when it can. */
export function supportOf(harness: Harness, transport: Tested, { needs }: Case): Support {
  const offered = harness.adapter.features.transports[transport];
  return offered === true ? needs?.(harness, transport) ?? true : offered;
}

export { play };
