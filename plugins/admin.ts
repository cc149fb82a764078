import * as v from "valibot";
import { definePlugin, type Endpoint, type Operator, type Plugin } from "../runtime/mod.ts";
import { makeApp } from "./admin/app.ts";
import { isLoopback } from "./admin/guard.ts";

/** The least length of a token, in characters. */
const TOKEN_MIN = 16;

/** The options of `admin`. */
export interface AdminOptions {
  /** Asked for as `Authorization: Bearer TOKEN`; write it as `${ENV_NAME}`. */
  readonly token?: string | undefined;
}

/**
 * Looks at the server that it runs in, and steers it: `/` (a dashboard), `/metrics` (Prometheus),
 * `/health`, `/ready`, `/status`, `/history`, `/peers`, `/records` (server-sent events), and POST
 * `/control/{suspend,resume,drain,reload}`. Give it a Unix socket, `http+unix:./admin.sock`, or a
 * loopback address; any other one needs a `token`. Try: curl --unix-socket admin.sock http://localhost/status
 */
const admin: Plugin<AdminOptions, unknown, AdminOptions> = definePlugin({
  name: "admin",
  transports: ["http"],
  options: v.strictObject({
    token: v.optional(v.pipe(
      v.string(),
      v.minLength(TOKEN_MIN, `a token of at least ${TOKEN_MIN} characters`),
      v.description("asked for as Authorization: Bearer TOKEN; write it as ${ENV_NAME}"),
    )),
  }),
  fits({ token }, listen) {
    if (token !== undefined || listen.every(isPrivate)) return undefined;
    return `a Unix socket (http+unix:./admin.sock) or a loopback address; or a "token" of at least ${TOKEN_MIN} characters in "options": others can reach this one`;
  },
  start({ options: { token }, server, service, log }) {
    if (server === undefined) throw new Error("admin runs under portico run, as a built-in plugin");
    const { app, close } = makeApp({ operator: server as Operator, token, service, log });
    return { fetch: (request, info) => app.fetch(request, info), stop: close };
  },
});

export default admin;

function isPrivate(endpoint: Endpoint): boolean {
  return "path" in endpoint || ("host" in endpoint && isLoopback(endpoint.host));
}
