/** What this runtime hears of resets: of a connection that is paused, and of one that speaks TLS. */
import { once } from "node:events";
import { connect } from "node:net";
import type { StreamTable } from "../../runtime/core/contract.ts";
import { adapter, certificates, parseEndpoint, Shared, within } from "./support.ts";
import { lead, secured } from "./tls-client.ts";

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

/** Some take it for an end, by their `node:tls`. */
async function probeTls(): Promise<string | false> {
  const context = (await adapter.tls!()).server({
    identities: [certificates().identity("server")],
    alpn: [],
    client: "none",
    ca: [],
    minVersion: "TLSv1.3",
  });
  const { promise: told, resolve: tell } = Promise.withResolvers<string>();
  const table: StreamTable = {
    open: (connection) => void connection.secure!(context),
    // What a server says by itself when the handshake is done has gone before this comes.
    data: (connection, chunk) => void connection.write(chunk.slice()),
    drain() {},
    end: () => tell("end"),
    close: () => tell("close"),
    failure() {},
  };
  const place = { transport: "tls", host: "127.0.0.1", port: 0 } as const;
  const listener = await adapter.listen(place, table, {});
  const scope = new Shared();
  try {
    const wire = connect({ port: listener.address.port, host: "127.0.0.1", allowHalfOpen: true });
    await once(wire, "connect");
    const client = secured(scope, await lead(scope, wire));
    client.on("error", () => {});
    client.write("x");
    await within("an answer", once(client, "data"));
    wire.resetAndDestroy();
    return await within("the reset", told) === "end" &&
      "this runtime takes a reset of TLS for an end";
  } finally {
    await scope.close();
    await listener.close();
  }
}

export const tlsResetsUntold: string | false = await probeTls();
