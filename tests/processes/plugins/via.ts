import { definePlugin } from "../../../runtime/mod.ts";

/** Tells each peer who it is and which way it came, then says back what it says. */
export default definePlugin({
  name: "via",
  transports: ["stream", "datagram"],
  start: () => ({
    setup(session) {
      const { remote, local, via } = session;
      const way = via === undefined ? "itself" : JSON.stringify({
        ...via,
        remote: via.remote.host,
        local: String(via.local) === "" ? "" : via.local.transport,
      });
      session.write(`${remote} at ${local.transport} by ${way}\n`);
      return undefined;
    },
    data: (session, chunk) => void session.write(chunk),
  }),
});
