import { definePlugin, type Plugin } from "../runtime/mod.ts";
import { DATAGRAM_RATE, refuseLoops } from "./wire.ts";

/**
 * Sends the time of day as text, in UTC, then ends: RFC 867, in the form that its section "Daytime
 * Syntax" quotes from SMTP and that xinetd sends. 26 bytes: a datagram's answer is less than twice
 * as long as any request, headers counted.
 *
 * Try: `nc 127.0.0.1 7013`
 */
const daytime: Plugin<Record<string, never>> = definePlugin({
  name: "daytime",
  transports: ["stream", "datagram"],
  keepsDatagrams: false,
  datagramRate: DATAGRAM_RATE,
  start: () => ({
    verify: refuseLoops,
    handle: (session) => void session.write(`${formatTime(new Date())}\r\n`),
  }),
});

export default daytime;

/** `21 NOV 2026 09:17:48 UTC` */
function formatTime(date: Date): string {
  // An HTTP date, `Sat, 21 Nov 2026 09:17:48 GMT`, has the same parts.
  return date.toUTCString().slice(5, -4).toUpperCase() + " UTC";
}
