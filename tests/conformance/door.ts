/** What the cases about descriptors share: who keeps what arrives, and counts what is open. */
import { existsSync, readdirSync } from "node:fs";
import { openLibc } from "../../adapters/posix/libc.ts";
import { MSG_DONTWAIT } from "../../adapters/posix/linux.ts";
import { HEADER_WORDS, LENGTH } from "../../adapters/posix/message-headers.ts";
import { BATCH, ReceiveBatch } from "../../adapters/posix/receive-batch.ts";
import type {
  BindableEndpoint,
  Listener,
  NamedEndpoint,
  SocketOptions,
  Support,
} from "../../runtime/core/contract.ts";
import type { AdmitTable, Descriptors, Inherited, Origin } from "../../runtime/core/descriptors.ts";
import type { Address } from "../../runtime/core/endpoint.ts";
import type { PorticoError } from "../../runtime/core/errors.ts";
import { until, within } from "../support/until.ts";
import type { Harness } from "./harness.ts";
import { text } from "./harness.ts";
import type { Stage } from "./stage.ts";
import { both } from "./stage.ts";

/** For {@link Case.needs}. */
export const needs = ({ adapter, kernel }: Harness): Support =>
  both(kernel, adapter.features.descriptors);

/** Likewise, where descriptors can be counted. */
export const counted = (harness: Harness): Support =>
  both(
    needs(harness),
    existsSync("/proc/self/fd") || { reason: "there is no /proc/self/fd to count" },
  );

/** Who keeps what has arrived, and closes what nobody took. */
export class Door implements AdmitTable {
  readonly descriptors: Descriptors;
  readonly arrivals: { fd: number; readonly origin: Origin }[] = [];
  readonly failures: PorticoError[] = [];
  listener!: Listener;

  constructor(descriptors: Descriptors) {
    this.descriptors = descriptors;
  }

  arrive(fd: number, origin: Origin): void {
    this.arrivals.push({ fd, origin });
  }

  failure(error: PorticoError): void {
    this.failures.push(error);
  }

  /** Number `index`, when it has come; the caller's to close. */
  async take(index = 0): Promise<{ fd: number; readonly origin: Origin }> {
    await until(`arrival ${index + 1}`, () => this.arrivals.length > index);
    const { fd, origin } = this.arrivals[index]!;
    this.arrivals[index]!.fd = -1;
    return { fd, origin };
  }

  async stop(): Promise<void> {
    await this.listener.close();
    for (const { fd } of this.arrivals) if (fd >= 0) this.descriptors.close(fd);
  }
}

/** Opens a door, and closes it when `use` is over. */
export async function withDoor(
  stage: Stage,
  use: (door: Door) => Promise<void>,
  options: SocketOptions = {},
  endpoint: BindableEndpoint = stage.harness.place(stage.transport),
): Promise<void> {
  const descriptors = await stage.adapter.descriptors();
  const door = new Door(descriptors);
  door.listener = await within("admit", descriptors.admit(endpoint, door, options));
  try {
    await use(door);
  } finally {
    await door.stop();
  }
}

/** What has come for a connection that is nobody's yet. */
export async function read(fd: number): Promise<string> {
  const inbox = new ReceiveBatch(await openLibc());
  let count = 0;
  await until("bytes to read", () => (count = inbox.receive(fd, BATCH, MSG_DONTWAIT)) > 0);
  let found = "";
  for (let i = 0; i < count; i++) {
    found += text(inbox.view(i, inbox.headers.headers[i * HEADER_WORDS + LENGTH]!));
  }
  return found;
}

/** A socket by descriptor. */
export function inherited(fd: number, address: Address, owned = true): Inherited {
  return { transport: address.transport as Inherited["transport"], fd, address, owned };
}

/** The endpoint of an address. */
export function named({ transport, host, port, path }: Address): NamedEndpoint {
  return host === ""
    ? { transport: transport as "unix", path }
    : { transport: transport as "tcp", host, port };
}

/** How many descriptors are open. */
export function count(): number {
  return readdirSync("/proc/self/fd").length;
}

/** Waits until there are as many as before; what a runtime closes, it may close a little later. */
export async function countBack(before: number): Promise<void> {
  await until(() => `${before} descriptors, there are ${count()}`, () => count() <= before);
}
