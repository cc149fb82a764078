import { definePlugin } from "../../../runtime/mod.ts";
import * as v from "valibot";

/** Says its name and whom it serves, then says back what it hears. It says nothing of what it has heard before that. */
export default definePlugin({
  name: "told",
  transports: ["stream"],
  options: v.object({ name: v.string() }),
  start: ({ options }) => ({
    setup(session) {
      const { remote, local, via } = session;
      const way = via === undefined ? "" : ` via ${via.remote.host}`;
      session.write(`${options.name} ${remote.host} at ${local.port}${way}\n`);
    },
    data: (session, chunk) => void session.write(chunk),
  }),
});
