import { definePlugin, type Plugin } from "../runtime/mod.ts";

/**
 * Throws away what it gets, and answers nothing: RFC 863.
 *
 * Try: `head -c 1000000 /dev/zero | nc -N 127.0.0.1 7009`
 */
const discard: Plugin<Record<string, never>> = definePlugin({
  name: "discard",
  transports: ["stream", "datagram"],
  keepsDatagrams: false,
  start: () => ({ data() {} }),
});

export default discard;
