/**
 * An upgrade: a server starts its successor, which may be of another version or on another runtime,
 * and hands it the sockets. Both accept until the successor is ready; then the old one drains.
 *
 *     old: starts it, sends the estate ──► new: serves on those sockets ──► "ready" ──► old: stops accepting
 */
import { spawn } from "node:child_process";
import process from "node:process";
import type { Adapter } from "../core/contract.ts";
import type { Descriptors, Inherited } from "../core/descriptors.ts";
import { Address } from "../core/endpoint.ts";
import { PorticoError } from "../core/errors.ts";
import type { Estate } from "../services/handover.ts";
import { Channel, type Format } from "../workers/channel.ts";
import { takeEnds } from "../workers/channel-ends.ts";
import { type AddressParts, partsOf } from "../workers/messages.ts";

/** The environment variable that tells a server that it succeeds another one. */
const SUCCESSOR = "PORTICO_SUCCESSOR";

/** Runtimes have formats of their own for structured clones; JSON they have in common. */
const JSON_LINES: Format = {
  encode: (message) => new TextEncoder().encode(JSON.stringify(message)),
  decode: (bytes) => JSON.parse(new TextDecoder().decode(bytes)),
};

interface Deed {
  readonly transport: Inherited["transport"];
  readonly address: AddressParts;
  readonly owned: boolean;
}

/** Old to new. Descriptors follow in the order of the deeds, the control socket's last. */
interface Will {
  readonly services: readonly (readonly [string, readonly (readonly [string, Deed[]])[]])[];
  readonly control: Deed | undefined;
}

/** New to old. */
type Answer = { readonly ready: number } | { readonly failed: string };

/** What a server hands on; its descriptors are closed by {@link succeed}. */
export interface Handover {
  readonly estate: Estate;
  readonly control: Inherited | undefined;
}

/**
 * Starts a successor and hands it everything; resolves with its pid when it serves.
 *
 * @param command that starts it.
 * @param environment added to ours.
 * @param ending we end ourselves, before it is ready: it is not wanted any more.
 * @throws PorticoError START_FAILED with what it says, when it does not come to that.
 */
export async function succeed(
  { estate, control }: Handover,
  [program, ...args]: readonly [string, ...string[]],
  environment: Readonly<Record<string, string>>,
  descriptors: Descriptors,
  ending: AbortSignal,
): Promise<number> {
  const sockets = [...estate.values()].flatMap((service) => [...service.values()].flat());
  if (control !== undefined) sockets.push(control);
  const [ours, theirs] = descriptors.pair();
  const [lane, laneTheirs] = descriptors.pair();
  const given = [theirs, laneTheirs];
  const answered = Promise.withResolvers<Answer>();
  const channel = new Channel<Will, Answer>(
    answered.resolve,
    () => answered.resolve({ failed: "it ended before it was ready" }),
    JSON_LINES,
  );
  let stop: (() => void) | undefined;
  try {
    descriptors.pass(ours, laneTheirs);
    const child = spawn(program, args, {
      stdio: [theirs, "inherit", "inherit"],
      env: { ...process.env, ...environment, [SUCCESSOR]: String(process.pid) },
    });
    // As long as we had them too, its end would not be noticed.
    for (const fd of given.splice(0)) descriptors.close(fd);
    child.once("error", (error) => answered.resolve({ failed: error.message }));
    stop = () => {
      answered.resolve({ failed: "this server is ending" });
      child.kill("SIGKILL");
    };
    ending.addEventListener("abort", stop);
    for (const { fd } of sockets) {
      if (descriptors.pass(lane, fd)) continue;
      child.kill("SIGKILL");
      throw new PorticoError("START_FAILED", `there are too many sockets to hand over at once`);
    }
    await channel.open(descriptors, ours);
    channel.send(willOf(estate, control));
    const answer = await answered.promise;
    channel.abort();
    if ("ready" in answer) return answer.ready;
    throw new PorticoError("START_FAILED", `the successor did not start: ${answer.failed}`);
  } finally {
    if (stop !== undefined) ending.removeEventListener("abort", stop);
    for (const fd of given) descriptors.close(fd);
    descriptors.close(lane);
    for (const { fd } of sockets) descriptors.close(fd);
  }
}

function willOf(estate: Estate, control: Inherited | undefined): Will {
  const services = [...estate].map(([name, sockets]) =>
    [name, [...sockets].map(([text, list]) => [text, list.map(deedOf)] as const)] as const
  );
  return { services, control: control === undefined ? undefined : deedOf(control) };
}

function deedOf({ transport, address, owned }: Inherited): Deed {
  return { transport, address: partsOf(address), owned };
}

/** What a successor has of the server before it. */
export interface Predecessor extends Handover {
  /** Tells it that its time has come. */
  ready(): void;
  /** Tells it that it has to go on. */
  failed(reason: string): Promise<void>;
}

/** Whether this process was started as a successor. */
export function isSuccessor(): boolean {
  return process.env[SUCCESSOR] !== undefined;
}

/** Receives what the predecessor hands over. @throws PorticoError when it has gone. */
export async function inherit(adapter: Adapter): Promise<Predecessor> {
  delete process.env[SUCCESSOR];
  const descriptors = await adapter.descriptors();
  const { channel: fd, descriptorChannel: lane } = takeEnds(descriptors);
  const will = Promise.withResolvers<Will>();
  const closed = Promise.withResolvers<void>();
  const channel = new Channel<Answer, Will>(will.resolve, () => {
    closed.resolve();
    will.reject(new PorticoError("START_FAILED", "the server to be succeeded has gone"));
  }, JSON_LINES);
  will.promise.catch(() => {});
  await channel.open(descriptors, fd);
  const { services, control } = await will.promise;
  const receive = ({ transport, address, owned }: Deed): Inherited => {
    const [, host, port, path] = address;
    const at = new Address(transport, host, port, path);
    return { transport, fd: descriptors.take(lane, true), address: at, owned };
  };
  const estate: Estate = new Map(
    services.map(([name, list]) => [
      name,
      new Map(list.map(([text, deeds]) => [text, deeds.map(receive)])),
    ]),
  );
  const controlSocket = control === undefined ? undefined : receive(control);
  descriptors.close(lane);
  return {
    estate,
    control: controlSocket,
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
