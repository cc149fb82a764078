/** Answers HTTP in every way that a test asks for, and says which version of it does. */
import { existsSync } from "node:fs";
import * as v from "valibot";
import { definePlugin } from "../../../runtime/mod.ts";

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

export default definePlugin({
  name: "web",
  transports: ["http", "stream"],
  options: v.object({
    version: v.optional(v.number(), 0),
    hook: v.optional(v.boolean(), true),
    banned: v.optional(v.string()),
  }),
  start: ({ options: { version, hook, banned } }) => {
    const data = (): void => {};
    if (!hook) return { data };
    return {
      data,
      ...(banned !== undefined && { verify: () => false }),
      async fetch(request, { session }) {
        const { pathname, searchParams } = new URL(request.url);
        switch (pathname) {
          case "/wait":
            await pause(Number(searchParams.get("ms")));
            break;
          case "/until-there":
            while (!existsSync(searchParams.get("file")!)) await pause(5);
            break;
          case "/until-told":
            session.log.info("waits");
            await new Promise<void>((resolve) => {
              session.signal.addEventListener("abort", () => resolve());
            });
            session.log.info("told", { why: (session.signal.reason as Error).message });
            return new Response("I was told", { status: 418 });
          case "/stubborn":
            session.log.info("waits");
            return await new Promise<never>(() => {});
          case "/throw":
            throw new Error("thrown on purpose");
          case "/nothing":
            return undefined as unknown as Response;
          case "/events": {
            let timer: ReturnType<typeof setInterval>;
            const body = new ReadableStream({
              start(controller) {
                timer = setInterval(
                  () => controller.enqueue(new TextEncoder().encode("data: tick\n\n")),
                  20,
                );
              },
              cancel: () => clearInterval(timer),
            });
            return new Response(body, { headers: { "content-type": "text/event-stream" } });
          }
          case "/endless": {
            let timer: ReturnType<typeof setInterval>;
            const body = new ReadableStream({
              start(controller) {
                timer = setInterval(() => controller.enqueue(new Uint8Array(10)), 20);
              },
              cancel: () => clearInterval(timer),
            });
            return new Response(body, { headers: { "transfer-encoding": "chunked" } });
          }
          case "/echo":
            return new Response(await request.text());
        }
        return Response.json({
          version,
          session: session.id,
          remote: String(session.remote),
          local: String(session.local),
        });
      },
    };
  },
});
