import type { Adapter, DialedSocket } from "../../core/contract.ts";
import { codeOf, PorticoError } from "../../core/errors.ts";
import type { Sink } from "../../core/record.ts";
import { Delivery } from "../delivery.ts";
import { checkLength, openDatagrams } from "../link/datagram.ts";
import type { SinkHost } from "../types.ts";
import { journalEntry } from "./native.ts";
import type { JournaldOptions } from "./type.ts";

/** What a datagram surely carries: the kernel's default is 212,960 bytes. */
const DATAGRAM: number = 192 * 1024;

/**
 * Looks for journald from now on; records wait for it.
 *
 * @throws PorticoError NOT_SUPPORTED where there are no Unix datagrams: there never will be any.
 */
export function openJournald(options: JournaldOptions, { adapter, warn }: SinkHost): Sink {
  const { path, facility, appName, maxSize, queue, queueBytes, overflow } = options;
  const support = adapter.features.transports.unixgram;
  if (support !== true) {
    const { reason, remedy } = support;
    const text = `a journald sink needs Unix datagrams, and ${reason}`;
    throw new PorticoError("NOT_SUPPORTED", remedy === undefined ? text : `${text}: ${remedy}`);
  }
  checkLength(path);
  // Where descriptors can be passed, what is larger than a datagram is passed as one.
  const whole = adapter.features.descriptors === true;
  const dial: Adapter["dial"] = async (to, table) => sealing(await adapter.dial(to, table));
  return new Delivery({
    name: `journald at ${path}`,
    bounds: { records: queue, bytes: queueBytes, overflow },
    encode: journalEntry({
      facility,
      appName,
      maxSize: whole ? maxSize : Math.min(maxSize, DATAGRAM),
    }),
    open: (events) => openDatagrams({ dial }, { transport: "unixgram", path }, events),
    warn,
  }).start();
}

/** Offers what the kernel finds too large for a datagram as journald takes it: a sealed file, where that can be had. */
function sealing(socket: DialedSocket): DialedSocket {
  const offer = socket.offer.bind(socket);
  return Object.assign(socket, {
    offer(bytes: Uint8Array): boolean {
      try {
        return offer(bytes);
      } catch (error) {
        if (codeOf(error) !== "EMSGSIZE" || socket.offerSealed === undefined) throw error;
        return socket.offerSealed(bytes);
      }
    },
  });
}
