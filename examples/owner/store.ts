import { definePlugin, lines } from "portico";

/** Counters by name, in memory: `incr NAME`, `get NAME`. One line is asked, one is answered. */
export default definePlugin({
  name: "store",
  transports: ["stream"],
  // Two of it would count apart: strategies that would make several are refused.
  scope: "service",
  start: () => {
    const counters = new Map<string, number>();
    return {
      async handle(session) {
        for await (const line of session.frames(lines(256))) {
          const [command, name = ""] = line.split(" ");
          const count = (counters.get(name) ?? 0) + (command === "incr" ? 1 : 0);
          if (command === "incr") counters.set(name, count);
          const known = command === "incr" || command === "get";
          await session.send(known ? `${count}\n` : "there are incr and get\n");
        }
      },
    };
  },
});
