/** Modules that answer requests and know nothing of Portico: `export default app`, of Hono for one. */
import type { Plugin, RequestInfo } from "../core/plugin.ts";

/** What has a `fetch`: an object, or a function. */
export interface App {
  fetch(request: Request, info: RequestInfo): Response | Promise<Response>;
}

/** Whether it is one, and no plugin. A router may be a proxy that has a function of every name. */
export function isApp(value: unknown): value is App {
  if ((typeof value !== "object" && typeof value !== "function") || value === null) return false;
  const { fetch, transports } = value as { fetch?: unknown; transports?: unknown };
  return typeof fetch === "function" && !Array.isArray(transports);
}

/** Makes a plugin of it. It takes no options, and `info` as its second argument: the `env` of Hono. */
export function appPlugin(app: App, name: string): Plugin {
  return {
    name,
    transports: ["http"],
    start: () => ({ fetch: (request, info) => app.fetch(request, info) }),
  };
}

/** A name for what has none, of where it comes from: `api` of `file:///srv/api.ts`, `blog` of `npm:@me/blog@1`. */
export function nameOf(url: string): string {
  const path = url.replace(/[?#].*$/s, "").replace(/(?<=[^/])@[^/]*$/, "");
  const last = path.slice(Math.max(path.lastIndexOf("/"), path.lastIndexOf(":")) + 1);
  const plain = decode(last).replace(/\.\w+$/, "").replace(/[^\w-]+/g, "-").replace(
    /^[_-]+|-+$/g,
    "",
  );
  return plain || "app";
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
