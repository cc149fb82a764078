import { definePlugin, type Plugin } from "../runtime/mod.ts";

/**
 * A port that nobody has any business with: whoever connects is refused, and shut out of all services of the
 * manifest for `ban.for`, an hour when silent. The server does that itself; no session comes as far as this.
 *
 * Try: `nc 127.0.0.1 2323`, and then any other port of the manifest
 */
const sensor: Plugin<Record<string, never>> = definePlugin({
  name: "sensor",
  transports: ["stream", "datagram"],
  keepsDatagrams: false,
  start: () => ({ data() {} }),
});

export default sensor;
