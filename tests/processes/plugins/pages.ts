/** Answers HTTP, and nothing else: with whom it is asked by, with what was sent, or when a file is there. */
import { existsSync } from "node:fs";
import { definePlugin } from "../../../runtime/mod.ts";

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

export default definePlugin({
  name: "pages",
  transports: ["http"],
  start: () => ({
    async fetch(request, { session }) {
      const { pathname, searchParams } = new URL(request.url);
      if (pathname === "/echo") return new Response(await request.text());
      if (pathname === "/until-there") {
        while (!existsSync(searchParams.get("file")!)) await pause(5);
      }
      const { remote, local, via } = session;
      return new Response(`${remote} at ${local}${via === undefined ? "" : ` via ${via.remote}`}`);
    },
  }),
});
