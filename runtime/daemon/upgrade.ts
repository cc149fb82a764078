/**
 * An upgrade: a server starts its successor, which may be of another version or on another runtime,
 * and hands it the sockets. Both accept until the successor is ready; then the old one drains.
 *
 *     old: starts it, sends the handover ──► new: serves on those sockets ──► "ready" ──► old: stops accepting
 */
import { spawn } from "node:child_process";
import process from "node:process";
import type { Adapter } from "../core/contract.ts";
import type { Descriptors, Inherited } from "../core/descriptors.ts";
import { Address } from "../core/endpoint.ts";
import { PorticoError } from "../core/errors.ts";
import { withdraw } from "../control/path.ts";
import type { ControlSocket } from "../control/socket.ts";
import { type Handover, removeFiles } from "../services/handover.ts";
import type { BanChange } from "../services/bans/ban.ts";
import type { Bans } from "../services/bans/bans.ts";
import { type StoredBan, storedBan } from "../services/bans/stored.ts";
import type { StoredKeys } from "../services/tls/store.ts";
import { Channel } from "../workers/channel.ts";
import { takeEnds } from "../workers/channel-ends.ts";
import { type AddressParts, partsOf } from "../workers/messages.ts";

/** The environment variable that tells a server that it succeeds another one. */
const SUCCESSOR = "PORTICO_SUCCESSOR";

/** A socket that is handed over, without its descriptor. */
interface SocketInfo {
  readonly transport: Inherited["transport"];
  readonly address: AddressParts;
  readonly owned: boolean;
}

/**
 * From the old server to the new one: the sockets by service and text of the endpoint. Their
 * descriptors come beside it, in the same order, the control socket's last.
 */
interface HandoverMessage {
  readonly services: readonly (readonly [string, readonly (readonly [string, SocketInfo[]])[]])[];
  readonly control: SocketInfo | undefined;
  /** Those in force; changes follow, each in a message of its own. */
  readonly bans: readonly StoredBan[];
  /** The successor resumes the sessions of TLS that its predecessor has had. */
  readonly ticketKeys: StoredKeys;
}

/** What becomes of the bans while a successor starts, and as long as sessions go on beside it. */
export type BanMessage = { readonly ban: StoredBan } | { readonly unban: string };

/** From the new server to the old one. */
type SuccessorReply = { readonly ready: number } | { readonly failed: string };

/** What a server hands over; its descriptors are closed by {@link startSuccessor}. */
export interface ServerHandover {
  readonly handover: Handover;
  readonly control: Inherited | undefined;
}

/**
 * Starts a successor and hands it everything over; resolves with its pid when it serves.
 *
 * @param bans are handed over, with what becomes of them until this process ends.
 * @param ticketKeys are handed over, by a socket that nobody else has.
 * @param command that starts it.
 * @param environment added to that of this process.
 * @param ending aborts when this server ends before the successor is ready, which is ended then too.
 * @throws PorticoError START_FAILED with the successor's reason when it does not get ready.
 */
export async function startSuccessor(
  { handover, control }: ServerHandover,
  bans: Bans,
  ticketKeys: StoredKeys,
  [program, ...args]: readonly [string, ...string[]],
  environment: Readonly<Record<string, string>>,
  descriptors: Descriptors,
  ending: AbortSignal,
): Promise<number> {
  const sockets = [...handover.values()].flatMap((service) => [...service.values()].flat());
  if (control !== undefined) sockets.push(control);
  const [ours, theirs] = descriptors.pair();
  const [descriptorChannel, descriptorChannelTheirs] = descriptors.pair();
  const given = [theirs, descriptorChannelTheirs];
  const replied = Promise.withResolvers<SuccessorReply>();
  const channel = new Channel<HandoverMessage | BanMessage, SuccessorReply>(
    replied.resolve,
    () => {
      bans.watchers.delete(changed);
      replied.resolve({ failed: "it ended before it was ready" });
    },
  );
  let serves = false;
  let stop: (() => void) | undefined;
  const changed = (change: BanChange): void => {
    channel.send("ban" in change ? { ban: storedBan(change.ban) } : change);
    // This process may be about to end.
    channel.flush();
  };
  try {
    descriptors.pass(ours, descriptorChannelTheirs);
    const child = spawn(program, args, {
      stdio: [theirs, "inherit", "inherit"],
      env: { ...process.env, ...environment, [SUCCESSOR]: String(process.pid) },
    });
    // As long as we had them too, its end would not be noticed.
    for (const fd of given.splice(0)) descriptors.close(fd);
    child.once("error", (error) => replied.resolve({ failed: error.message }));
    stop = () => {
      replied.resolve({ failed: "this server is ending" });
      child.kill("SIGKILL");
    };
    ending.addEventListener("abort", stop);
    for (const { fd } of sockets) {
      if (descriptors.pass(descriptorChannel, fd)) continue;
      child.kill("SIGKILL");
      throw new PorticoError("START_FAILED", `there are too many sockets to hand over at once`);
    }
    await channel.open(descriptors, ours);
    const described = describeSockets(handover, control);
    channel.send({ ...described, bans: bans.list().map(storedBan), ticketKeys });
    bans.watchers.add(changed);
    const reply = await replied.promise;
    // What its last sessions do here concerns the successor, too, as long as this process is there.
    serves = "ready" in reply;
    if ("ready" in reply) return reply.ready;
    channel.abort();
    throw new PorticoError("START_FAILED", `the successor did not start: ${reply.failed}`);
  } finally {
    if (!serves) bans.watchers.delete(changed);
    if (stop !== undefined) ending.removeEventListener("abort", stop);
    for (const fd of given) descriptors.close(fd);
    descriptors.close(descriptorChannel);
    for (const { fd } of sockets) descriptors.close(fd);
  }
}

function describeSockets(
  handover: Handover,
  control: Inherited | undefined,
): Pick<HandoverMessage, "services" | "control"> {
  const services = [...handover].map(([name, sockets]) =>
    [name, [...sockets].map(([text, list]) => [text, list.map(infoOf)] as const)] as const
  );
  return { services, control: control === undefined ? undefined : infoOf(control) };
}

function infoOf({ transport, address, owned }: Inherited): SocketInfo {
  return { transport, address: partsOf(address), owned };
}

/** The server before a successor, with what it has handed over. */
export interface Predecessor extends ServerHandover {
  /** Has its bans taken, and what becomes of them from here on. */
  takeBans(take: (change: BanMessage) => void): void;
  readonly ticketKeys: StoredKeys;
  /** Tells it that the successor serves, and that it can end. */
  ready(): void;
  /** Tells it that the successor gives up, and why: it goes on serving. */
  failed(reason: string): Promise<void>;
}

/** Whether this process was started as a successor. */
export function isSuccessor(): boolean {
  return process.env[SUCCESSOR] !== undefined;
}

/** Receives what the predecessor hands over. @throws PorticoError when it has gone. */
export async function receiveHandover(adapter: Adapter): Promise<Predecessor> {
  delete process.env[SUCCESSOR];
  const descriptors = await adapter.descriptors();
  const { channel: fd, descriptorChannel } = takeEnds(descriptors);
  const received = Promise.withResolvers<HandoverMessage>();
  const closed = Promise.withResolvers<void>();
  let take = (change: BanMessage): void => void changes.push(change);
  const changes: BanMessage[] = [];
  const receiveMessage = (message: HandoverMessage | BanMessage): void =>
    "services" in message ? received.resolve(message) : take(message);
  const channel = new Channel<SuccessorReply, HandoverMessage | BanMessage>(receiveMessage, () => {
    closed.resolve();
    received.reject(new PorticoError("START_FAILED", "the server to be succeeded has gone"));
  });
  received.promise.catch(() => {});
  await channel.open(descriptors, fd);
  const { services, control, bans = [], ticketKeys = {} } = await received.promise;
  const receive = ({ transport, address, owned }: SocketInfo): Inherited => {
    const [, host, port, path] = address;
    const at = new Address(transport, host, port, path);
    return { transport, fd: descriptors.take(descriptorChannel, true), address: at, owned };
  };
  const handover: Handover = new Map(
    services.map(([name, list]) => [
      name,
      new Map(list.map(([text, sockets]) => [text, sockets.map(receive)])),
    ]),
  );
  const controlSocket = control === undefined ? undefined : receive(control);
  descriptors.close(descriptorChannel);
  return {
    handover,
    control: controlSocket,
    ticketKeys,
    takeBans(each) {
      for (const ban of bans) each({ ban });
      for (const change of changes) each(change);
      take = each;
    },
    ready() {
      channel.send({ ready: process.pid });
      channel.flush();
    },
    async failed(reason) {
      channel.send({ failed: reason });
      channel.end();
      await closed.promise;
    },
  };
}

/**
 * Ends a hand-over when the successor serves: the predecessor is told, and the files of those of its
 * sockets are removed that the manifest does not name any more.
 *
 * @param control the successor's own control socket.
 */
export async function finishHandover(
  { ready, control: handed, handover }: Predecessor,
  control: ControlSocket | undefined,
  adapter: Adapter,
): Promise<void> {
  ready();
  if (handed !== undefined && control?.address.path !== handed.address.path) {
    (await adapter.descriptors()).close(handed.fd);
    withdraw(handed.address.path);
    handover.set("", new Map([["", [handed]]]));
  }
  removeFiles(handover);
}
