/** Who may ask what: the token, the names of this machine, and no page but our own. */
import { timingSafeEqual } from "node:crypto";
import type { Context, Next } from "hono";
import type { RequestInfo } from "../../runtime/mod.ts";

/** What every route knows of a request. */
export interface Env {
  // deno-lint-ignore no-explicit-any
  Bindings: RequestInfo & Record<string, any>;
}

/** On every answer: nobody frames it, keeps it, or has it guess what it is. */
const HEADERS: Readonly<Record<string, string>> = {
  "content-security-policy":
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
  "referrer-policy": "no-referrer",
  "cross-origin-resource-policy": "same-origin",
  "cache-control": "no-store",
};

/** Adds them, whatever comes of the request. */
export async function secure(c: Context<Env>, next: Next): Promise<void> {
  await next();
  for (const [name, value] of Object.entries(HEADERS)) c.header(name, value);
}

/** 127.0.0.0/8, ::1, and the name that means them everywhere. */
export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127(?:\.\d{1,3}){3}$/.test(host);
}

/**
 * Lets those in who have the token. Where there is none, the socket file's mode or the loopback
 * address keeps others out; but a browser on this machine can be led there by a name of somebody
 * else's (DNS rebinding), so `Host` has to be a name of ours.
 */
export function authorize(token: string | undefined) {
  return async (c: Context<Env>, next: Next): Promise<Response | void> => {
    if (token === undefined) {
      const unix = c.env.session.local.host === "";
      const host = c.req.header("host");
      // Browsers always say it.
      if (host === undefined) return await next();
      const name = host.replace(/:\d+$/, "").replace(/^\[(.*)\]$/, "$1");
      if (unix || isLoopback(name)) return await next();
      return c.json({ error: `the host ${name} is none of this server's: ask for localhost` }, 421);
    }
    const given = /^Bearer +(\S+)$/i.exec(c.req.header("authorization") ?? "")?.[1] ?? "";
    if (isSame(given, token)) return await next();
    c.header("www-authenticate", 'Bearer realm="portico"');
    return c.json({ error: "a token is required: Authorization: Bearer TOKEN" }, 401);
  };
}

/** In a time that says nothing of where they differ. */
function isSame(given: string, token: string): boolean {
  const [a, b] = [given, token].map((text) => new TextEncoder().encode(text)) as [
    Uint8Array,
    Uint8Array,
  ];
  const padded = new Uint8Array(b.length);
  padded.set(a.subarray(0, b.length));
  return timingSafeEqual(padded, b) && a.length === b.length;
}

/** A page of somebody else's cannot press our buttons: neither as a form, nor as a script. */
export async function sameOrigin(c: Context<Env>, next: Next): Promise<Response | void> {
  const origin = c.req.header("origin");
  const site = c.req.header("sec-fetch-site");
  const foreign = (origin !== undefined && origin !== `http://${c.req.header("host")}` &&
    origin !== `https://${c.req.header("host")}`) ||
    (site !== undefined && site !== "same-origin" && site !== "none");
  if (foreign) return c.json({ error: "this comes from a page of another origin" }, 403);
  if (!/^application\/json(?:;|$)/i.test(c.req.header("content-type") ?? "")) {
    return c.json({ error: "Content-Type has to be application/json" }, 415);
  }
  return await next();
}
