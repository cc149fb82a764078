import { Hono } from "hono";
import { type Logger, type Operator, PorticoError, type ServerStatus } from "../../runtime/mod.ts";
import { authorize, type Env, sameOrigin, secure } from "./guard.ts";
import { asset, ASSETS } from "./assets.ts";
import { History } from "./history.ts";
import { PeerStatistics } from "./peers.ts";
import { streamRecords } from "./records.ts";

/** What the app is made of. */
export interface AppInput {
  readonly operator: Operator;
  readonly token: string | undefined;
  /** The service's own name. */
  readonly service: string;
  readonly log: Logger;
}

const TEXT = { "content-type": "text/plain; charset=utf-8" };

/** A body names a service, no more. */
const BODY_MAX = 16 * 1024;

/** A body as text; undefined when it is too long. */
async function textOf({ body }: Request): Promise<string | undefined> {
  const decoder = new TextDecoder();
  let [size, text] = [0, ""];
  for await (const chunk of body ?? []) {
    size += chunk.length;
    if (size > BODY_MAX) return undefined;
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}

const VERBS = ["suspend", "resume", "drain", "reload"] as const;

/** The routes, and what ends them. */
export function makeApp({ operator, token, service, log }: AppInput): {
  readonly app: Hono<Env>;
  readonly close: () => void;
} {
  const app = new Hono<Env>();
  const peers = new PeerStatistics();
  const unsubscribe = operator.records((record) => peers.note(record));
  const history = new History(operator);
  history.start();
  app.use(secure);
  app.get("/health", () => new Response("alive\n", { headers: TEXT }));
  // The page holds nothing; what it shows it asks for with the token.
  for (const [path, name] of ASSETS) app.get(path, () => asset(name));
  app.use(authorize(token));
  app.get("/metrics", async () => {
    const { type, text } = await operator.metrics();
    return new Response(text, { headers: { "content-type": type } });
  });
  app.get("/ready", (c) => {
    const reasons = unready(operator);
    return c.json({ ready: reasons.length === 0, reasons }, reasons.length === 0 ? 200 : 503);
  });
  // Whoever asks is served by this one, and cannot suspend it.
  app.get(
    "/status",
    (c) => c.json(operator.control.status(), 200, { "portico-service": service }),
  );
  app.get("/history", (c) => {
    const after = Number(c.req.query("after") ?? 0);
    if (Number.isNaN(after)) return c.json({ error: "after is in milliseconds since 1970" }, 400);
    return c.json(history.since(after));
  });
  app.get("/peers", (c) => c.json(peers.top()));
  // A HEAD has no body that anybody would end.
  app.get("/records", (c) => {
    const words = c.req.query("words") !== undefined;
    return streamRecords(c.req.method === "HEAD" ? undefined : operator, words);
  });
  app.post("/control/:verb/:service?", sameOrigin, async (c) => {
    const verb = VERBS.find((verb) => verb === c.req.param("verb"));
    if (verb === undefined) return c.json({ error: `a verb is one of ${VERBS.join(", ")}` }, 404);
    const text = await textOf(c.req.raw);
    if (text === undefined) {
      return c.json({ error: `the body is longer than ${BODY_MAX} bytes` }, 413);
    }
    let named = c.req.param("service");
    if (named === undefined) {
      try {
        named = (text === "" ? {} : JSON.parse(text) as { service?: string }).service;
      } catch {
        return c.json({ error: 'the body is JSON, as {"service":"echo"}' }, 400);
      }
    }
    if (named !== undefined && typeof named !== "string") {
      return c.json({ error: "service is a name" }, 400);
    }
    log.info("asked to", {
      verb,
      ...(named !== undefined && { on: named }),
      by: String(c.env.session.remote),
    });
    try {
      return c.json({ ok: true, result: await act(operator, verb, named, service) });
    } catch (error) {
      if (!(error instanceof PorticoError)) throw error;
      const { code, message } = error;
      return c.json({ ok: false, code, message }, code === "USAGE" ? 404 : 409);
    }
  });
  app.all("/control/*", (c) => c.json({ error: "POST it" }, 405, { allow: "POST" }));
  return {
    app,
    close() {
      unsubscribe();
      history.close();
    },
  };
}

/** All services but this one: it would cut the branch that it sits on. */
async function act(
  { control }: Operator,
  verb: typeof VERBS[number],
  named: string | undefined,
  own: string,
): Promise<unknown> {
  if (verb === "reload") return await control.reload();
  if (verb !== "resume" && named === own) {
    const text = `${own} is the service that you ask: use portico ctl ${verb} ${own}`;
    throw new PorticoError("NOT_SUPPORTED", text);
  }
  if (named !== undefined) return await control[verb](named);
  const others = control.status().services.filter(({ service, state }) =>
    service !== own && state !== "stopped" && state !== "disabled"
  );
  return (await Promise.all(others.map(({ service }) => control[verb](service)))).flat();
}

/** Why the server is not ready; empty when it is. */
function unready(operator: Operator): string[] {
  let status: ServerStatus;
  try {
    status = operator.control.status();
  } catch {
    return ["the server is starting"];
  }
  return status.services.flatMap(({ service, state, endpoints }) =>
    state === "disabled"
      ? []
      : state !== "running"
      ? [`${service} is ${state}`]
      : endpoints.length === 0
      ? [`${service} does not listen`]
      : []
  );
}
