/** What this runtime hears of the reset of a connection that is paused. */
import { once } from "node:events";
import { connect } from "node:net";
import type { StreamTable } from "../../runtime/core/contract.ts";
import { adapter, parseEndpoint, within } from "./support.ts";

/** How long it may take to hear of it, in ms: on one machine it is there at once. */
const PATIENCE = 500;

/** Not all hear of it, where they read by themselves. */
async function probe(): Promise<string | false> {
  const { promise: opened, resolve: open } = Promise.withResolvers<void>();
  const { promise: heard, resolve: hear } = Promise.withResolvers<void>();
  const table: StreamTable = {
    open(connection) {
      connection.pause();
      open();
    },
    data() {},
    drain() {},
    end() {},
    close: () => hear(),
    failure() {},
  };
  const place = parseEndpoint("tcp://127.0.0.1:0") as { transport: "tcp"; host: string; port: 0 };
  const listener = await adapter.listen(place, table, {});
  const peer = connect(listener.address.port, "127.0.0.1");
  try {
    await once(peer, "connect");
    peer.write("x");
    await within("a connection", opened);
    peer.resetAndDestroy();
    return await within("the reset", heard, PATIENCE).then(
      () => false,
      () => "this runtime hears of a reset when it reads",
    );
  } finally {
    await listener.close();
  }
}

export const resetsUnheard: string | false = await probe();
