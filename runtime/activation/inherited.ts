/** The sockets behind `fd:N`, `systemd:NAME` and `stdio:`, as they are found when the server starts. */
import type { Descriptors } from "../core/descriptors.ts";
import { type Endpoint, formatEndpoint, type InheritedEndpoint } from "../core/endpoint.ts";
import { type Code, PorticoError, toPorticoError } from "../core/errors.ts";
import type { FoundSocket } from "../services/contract.ts";
import { listenFds, type PassedSocket } from "./passed.ts";

/** How long a `stdio:` of inetd's `wait` serves nobody before it ends, in ms, where `limits.idle` is silent. */
export const STDIO_IDLE = 60_000;

let passed: PassedSocket[] | undefined;
let read = false;

/** What systemd has passed to this process; the environment is read once, at the first call. */
export function passedSockets(): readonly PassedSocket[] | undefined {
  if (!read) {
    read = true;
    passed = listenFds();
  }
  return passed;
}

/**
 * Finds the sockets of an endpoint: one, but for `systemd:NAME`, where all of that name are meant.
 *
 * @param sockets what systemd has passed; undefined when nothing was.
 * @throws PorticoError ENOENT when systemd passed none of this name, NOT_SUPPORTED for a descriptor
 * that is not open, or no socket that can be served.
 */
export function inheritedFor(
  endpoint: Endpoint,
  descriptors: Pick<Descriptors, "inspect">,
  sockets: readonly PassedSocket[] | undefined = passedSockets(),
): FoundSocket[] {
  if (!("name" in endpoint)) {
    throw new PorticoError("NOT_SUPPORTED", `${formatEndpoint(endpoint)}: nobody passes it on`);
  }
  return numbersOf(endpoint, sockets).map((fd) => {
    try {
      return { ...descriptors.inspect(fd), fd };
    } catch (error) {
      const { code, message } = toPorticoError(error, "NOT_SUPPORTED");
      throw failure(endpoint, code, message, error);
    }
  });
}

function numbersOf(
  endpoint: InheritedEndpoint,
  sockets: readonly PassedSocket[] | undefined,
): number[] {
  if (endpoint.transport === "stdio") return [0];
  if (endpoint.transport === "fd") return [Number(endpoint.name)];
  if (sockets === undefined) {
    throw failure(
      endpoint,
      "ENOENT",
      "this process was not started by systemd's socket activation (LISTEN_FDS is not set, or for another process)",
    );
  }
  const found = sockets.filter(({ name }) => name === endpoint.name);
  if (found.length > 0) return found.map(({ fd }) => fd);
  const names = [...new Set(sockets.map(({ name }) => name))].join(", ");
  throw failure(
    endpoint,
    "ENOENT",
    `no socket of this name was passed; ${names === "" ? "there is none" : `there are: ${names}`}`,
  );
}

function failure(
  endpoint: InheritedEndpoint,
  code: Code,
  why: string,
  cause?: unknown,
): PorticoError {
  const text = endpoint.name === "" ? "stdio" : formatEndpoint(endpoint);
  return new PorticoError(code, `${text}: ${why}`, {
    side: "config",
    ...(cause !== undefined && { cause }),
  });
}
