/** The HTTP server that each runtime has by itself, as somebody without Portico would start it. */
import { getRequestListener } from "@hono/node-server";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { Scope } from "./scope.ts";

type Handler = (request: Request) => Response | Promise<Response>;

interface Native {
  readonly Bun?: { serve(options: object): { readonly port: number; stop(cut: boolean): unknown } };
  readonly Deno?: {
    serve(options: object, handler: Handler): {
      readonly addr: { readonly port: number };
      shutdown(): Promise<void>;
    };
  };
}

/** Serves on a free port of 127.0.0.1, which it returns. */
export async function serveBare(scope: Scope, handler: Handler): Promise<number> {
  const { Bun, Deno } = globalThis as Native;
  const hostname = "127.0.0.1";
  if (Bun !== undefined) {
    const server = Bun.serve({ hostname, port: 0, development: false, fetch: handler });
    scope.after(async () => void await server.stop(true));
    return server.port;
  }
  if (Deno !== undefined) {
    const server = Deno.serve({ hostname, port: 0, onListen() {} }, handler);
    scope.after(() => server.shutdown());
    return server.addr.port;
  }
  const answer = getRequestListener(handler, { overrideGlobalObjects: false });
  const server = createServer((incoming, outgoing) => void answer(incoming, outgoing));
  server.listen(0, hostname);
  await once(server, "listening");
  scope.after(() =>
    new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    })
  );
  return (server.address() as AddressInfo).port;
}
