import { PorticoError } from "../../core/errors.ts";
import type { Sink } from "../../core/record.ts";
import { Courier } from "../courier.ts";
import { checkLength, openDatagrams } from "../link/datagram.ts";
import type { SinkHost } from "../types.ts";
import { journalEntry } from "./native.ts";
import type { JournaldOptions } from "./type.ts";

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
  return new Courier({
    name: `journald at ${path}`,
    bounds: { records: queue, bytes: queueBytes, overflow },
    encode: journalEntry({ facility, appName, maxSize }),
    open: (events) => openDatagrams(adapter, { transport: "unixgram", path }, events),
    warn,
  }).start();
}
