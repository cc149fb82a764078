import { definePlugin, lines } from "portico";
import * as v from "valibot";

/** RFC 1436: one line is asked, a menu or a text is the answer, and its end is the end. */
export default definePlugin({
  name: "gopher",
  transports: ["stream"],
  options: v.strictObject({ texts: v.record(v.string(), v.string()) }),
  start: ({ options: { texts } }) => ({
    async handle(session) {
      const selector = await session.read(lines(255), { timeout: "30s" });
      if (selector === undefined) return;
      const text = texts[selector];
      if (text !== undefined) return await session.send(`${text}\r\n.\r\n`);
      const { host, port } = session.local;
      const menu = selector === ""
        ? Object.keys(texts).map((name) => `0${name}\t${name}\t${host}\t${port}\r\n`)
        : [`3nothing there\t\terror.host\t1\r\n`];
      await session.send(`${menu.join("")}.\r\n`);
    },
  }),
});
