import { definePlugin, type Plugin } from "../runtime/mod.ts";
import { DATAGRAM_RATE, refuseLoops } from "./wire.ts";

/** Seconds from 1900, where RFC 868 counts from, to 1970. */
const EPOCH = 2_208_988_800;

/**
 * Sends the time as 32 bits, big-endian: seconds since 1900, then ends: RFC 868. It wraps in 2036.
 *
 * Try: `nc 127.0.0.1 7037 | xxd`
 */
const time: Plugin<Record<string, never>> = definePlugin({
  name: "time",
  transports: ["stream", "datagram"],
  keepsDatagrams: false,
  datagramRate: DATAGRAM_RATE,
  start: () => ({
    verify: refuseLoops,
    handle(session) {
      const answer = new Uint8Array(4);
      new DataView(answer.buffer).setUint32(0, Math.floor(Date.now() / 1000) + EPOCH);
      session.write(answer);
    },
  }),
});

export default time;
