/** What a supervisor and its workers tell each other: JSON, with bytes beside it where there are any. */
import type { SocketFileId } from "../core/descriptors.ts";
import type { CutReason, Refusal } from "../core/admission/candidate.ts";
import type { Offence } from "../core/admission/gate.ts";
import { Address, type Transport } from "../core/endpoint.ts";
import { codeOf, messageOf, PorticoError, type Side } from "../core/errors.ts";
import type { Wanted } from "../core/log.ts";
import type { RuleOptions, ServicePlan } from "../core/plan.ts";
import type { Idle } from "../core/stream/shedding.ts";
import { ProxiedPeer, type Via, viaOf } from "../core/prologue/via.ts";
import type { LogRecord } from "../core/record.ts";
import type { Counters } from "../core/totals.ts";
import type { Statistics } from "../core/statistics.ts";
import type { TlsServerOptions } from "../core/tls.ts";
import { decode, encode } from "./clones.ts";

/** An address in parts: transport, host, port, path, and the way of a peer that a balancer has told of. */
export type AddressParts =
  | readonly [Transport, string, number, string]
  | readonly [Transport, string, number, string, ViaParts];

/** A {@link Via} as it travels. */
interface ViaParts extends Omit<Via, "remote" | "local"> {
  readonly remote: AddressParts;
  readonly local: AddressParts;
}

/** One datagram on its way to a worker. */
export interface DatagramMessage {
  readonly id: number;
  /** Which of the service's datagram sockets it came to, and is answered from. */
  readonly socket: number;
  readonly from: AddressParts;
  /** The host of ours that it was sent to; the whole address where a balancer has told it. */
  readonly to: string | AddressParts;
  /** Its sender has shown that it is there. */
  readonly known?: true;
  /** How many of the bytes that travel with it are its own, behind those of the ones before it. */
  readonly size: number;
  readonly options?: RuleOptions;
}

/** What a worker has counted since its start. */
export interface Counted {
  readonly counters: Counters;
  /** When they have changed since they were sent last. */
  readonly statistics?: Statistics;
}

/** An address as it travels. */
export function partsOf(address: Address): AddressParts {
  const { transport, host, port, path } = address;
  const via = viaOf(address);
  if (via === undefined) return [transport, host, port, path];
  const { remote, local } = via;
  const parts = { ...via, remote: partsOf(remote), local: partsOf(local) };
  return [transport, host, port, path, parts];
}

const encoded = new WeakMap<ServicePlan, Uint8Array>();

/**
 * A plan as it travels, without its sinks, which are the supervisor's affair: its options may hold what
 * has no JSON. It is made once, whatever the number of workers.
 *
 * @throws DOMException when they hold what no other thread can be given, as a function.
 */
export function encodePlan(plan: ServicePlan): Uint8Array {
  let bytes = encoded.get(plan);
  if (bytes === undefined) encoded.set(plan, bytes = encode({ ...plan, log: [] }));
  return bytes;
}

/** @param bytes have to begin with their buffer. */
export function decodePlan(bytes: Uint8Array): ServicePlan {
  return decode(bytes) as ServicePlan;
}

export function certificatesCommand(options: readonly TlsServerOptions[]): CertificatesCommand {
  return { type: "certificates", bytes: encode(options) };
}

/** @param bytes as of {@link decodePlan}. */
export function decodeCertificates(bytes: Uint8Array): TlsServerOptions[] {
  return decode(bytes) as TlsServerOptions[];
}

export function toAddress([transport, host, port, path, via]: AddressParts): Address {
  const address = new Address(transport, host, port, path);
  if (via === undefined) return address;
  const [remote, local] = [toAddress(via.remote), toAddress(via.local)];
  return new ProxiedPeer(address, { ...via, remote, local });
}

/** Duplicates of the service's datagram sockets, to answer from. Theirs who opened them. */
export type SharedSockets = readonly { readonly fd: number; readonly address: Address }[];

/** The number of a session, and its bytes each way. */
export type SessionTraffic = readonly [id: number, bytesIn: number, bytesOut: number];

/** Why a worker cannot serve, in a message. */
export function failureOf(error: unknown): Extract<WorkerEvent, { type: "failed" }> {
  const { code, message, side, hint, at } = error instanceof PorticoError
    ? error
    : new PorticoError(codeOf(error) ?? "START_FAILED", messageOf(error));
  return { type: "failed", code, message, side, hint, at };
}

/** What a worker is told that its service does. */
export interface WorkerState {
  /** Which records anybody wants of it; none when undefined. */
  readonly wanted: Wanted | undefined;
  readonly measure: boolean;
  readonly drains: boolean;
}

/** Supervisor to worker. Descriptors travel beside it, in the order in which messages name them. */
export type WorkerCommand =
  /** The first: what to run. */
  | {
    readonly type: "job";
    /** See {@link encodePlan}. */
    readonly bytes: Uint8Array;
    /** The URL of the plugin's module, links followed. */
    readonly module: string;
    /** The numbers of the sessions that its plugin opens itself come after this one. */
    readonly ids: number;
    /** As with the commands of these names, from the start. */
    readonly wanted: Wanted | undefined;
    readonly measure: boolean;
    readonly drains: boolean;
    /** See {@link StartContext.worker}. */
    readonly number: number;
  }
  /**
   * What its TLS is made of, in the order of `tlsPlans`: before the job, and whenever it has changed. `bytes` are
   * {@link TlsServerOptions}, which hold keys: nobody prints them.
   */
  | { readonly type: "certificates"; readonly bytes: Uint8Array }
  /** The service's sockets, when they are open; with one descriptor for each of `datagrams`. */
  | { readonly type: "sockets"; readonly datagrams: readonly AddressParts[] }
  /** What is to be removed when the supervisor is killed; it replaces what was said before. */
  | { readonly type: "files"; readonly files: readonly SocketFileId[] }
  /** A stream to serve. With its descriptor. */
  | {
    readonly type: "take";
    readonly id: number;
    readonly remote: AddressParts;
    readonly local: AddressParts;
    /** Of the rule that has let it in. */
    readonly options?: RuleOptions;
    /** The place of its endpoint's TLS. */
    readonly tls?: number;
  }
  | {
    readonly type: "datagrams";
    readonly datagrams: readonly DatagramMessage[];
    readonly bytes: Uint8Array;
  }
  /** End these sessions. */
  | { readonly type: "cut"; readonly ids: readonly number[]; readonly reason: CutReason }
  /** End the sessions that are left, then yourself. A second one means: be quick. */
  | { readonly type: "stop" }
  | { readonly type: "ping" }
  /** Whether a session that came to a listener of the plugin's own is let in. */
  | {
    readonly type: "joined";
    readonly id: number;
    readonly why?: Refusal;
    readonly options?: RuleOptions;
  }
  /** The service drains, or does not any more. */
  | { readonly type: "drains"; readonly on: boolean }
  /** It wants other records than it was told with the job. */
  | { readonly type: "wanted"; readonly wanted: Wanted | undefined }
  /** Somebody wants to know how late its event loop is. */
  | { readonly type: "measure" }
  /** Which of its sessions have been idle longest: so many of all, and those of these numbers. */
  | { readonly type: "idle"; readonly count: number; readonly among: readonly number[] }
  /** Somebody wants to know what has gone through its sessions. */
  | { readonly type: "traffic" };

/** What workers that are there are told of the service. */
export type NewsCommand = Extract<
  WorkerCommand,
  { type: "measure" | "wanted" | "drains" | "traffic" | "cut" | "certificates" }
>;
export type CertificatesCommand = Extract<WorkerCommand, { type: "certificates" }>;

/** Worker to supervisor. */
export type WorkerEvent =
  /** The plugin's modules are there; its start begins. */
  | { readonly type: "loaded" }
  | { readonly type: "ready" }
  | {
    readonly type: "failed";
    readonly code: string;
    readonly message: string;
    readonly side: Side;
    readonly hint: string | undefined;
    readonly at: string | undefined;
  }
  | { readonly type: "record"; readonly record: LogRecord }
  /** It has taken so many streams more, in the order in which they were given. */
  | { readonly type: "taken"; readonly count: number }
  /** Somebody has come to a listener of the plugin's own. */
  | {
    readonly type: "join";
    readonly id: number;
    readonly remote: AddressParts;
    readonly local: AddressParts;
  }
  /** The sender of a datagram has shown that it is there. */
  | { readonly type: "confirmed"; readonly id: number }
  /** The peer of a session has done something that may lead to a ban. */
  | { readonly type: "offence"; readonly id: number; readonly what: Offence }
  | { readonly type: "idle"; readonly sessions: readonly Idle[] }
  | { readonly type: "traffic"; readonly sessions: readonly SessionTraffic[] }
  /** A session has given its turn back. */
  | { readonly type: "turned"; readonly id: number }
  /** Nothing is left of a session. */
  | ({ readonly type: "gone"; readonly id: number } & Counted)
  /** What was counted meanwhile, of sessions that are still there. */
  | ({ readonly type: "counted" } & Counted)
  | ({ readonly type: "pong" } & Counted)
  | ({ readonly type: "stopped" } & Counted);
