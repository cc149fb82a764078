/** A request of the runtime's own, of what `node:http` has parsed. */
import type { IncomingMessage } from "node:http";
import { DEFAULT_HOST, isHost } from "../exchanges.ts";
import type { Answering } from "./answering.ts";

/** Undefined for what has to be refused: it has a URL, a method or a header that none may have. */
export function requestOf(incoming: IncomingMessage, outgoing: Answering): Request | undefined {
  const { method = "GET", headers } = incoming;
  // HTTP/2 has another name for it.
  const host = headers.host ?? headers[":authority"] as string | undefined;
  if (!isHost(host)) return undefined;
  const url = urlOf(incoming, outgoing, host || DEFAULT_HOST);
  if (url === undefined) return undefined;
  const leaving = outgoing.leaving = new AbortController();
  const { signal } = leaving;
  // No request of fetch has a body then, whatever has come.
  const body =
    method === "GET" || method === "HEAD" || method === "TRACE" || !hasBody(incoming, outgoing)
      ? null
      : bodyOf(incoming, outgoing);
  try {
    const init = {
      headers: headersOf(incoming, host),
      body,
      signal,
      ...(body !== null && { duplex: "half" }),
    };
    if (method !== "TRACE") return new Request(url, { method, ...init });
    // Fetch forbids it to who asks, not to who is asked.
    return Object.defineProperty(new Request(url, init), "method", { value: method });
  } catch {
    return undefined;
  }
}

function urlOf({ url = "/" }: IncomingMessage, { asker }: Answering, host: string) {
  // RFC 9112, 3.2.2: a server takes the absolute form, too.
  const whole = url.startsWith("/")
    ? `${asker.tls === undefined ? "http" : "https"}://${host}${url}`
    : /^https?:/i.test(url)
    ? url
    : undefined;
  return whole !== undefined && URL.canParse(whole) ? whole : undefined;
}

function hasBody({ headers }: IncomingMessage, { stream }: Answering): boolean {
  if (stream !== undefined) return !stream.endAfterHeaders;
  const length = headers["content-length"];
  return headers["transfer-encoding"] !== undefined || length !== undefined && length !== "0";
}

/** What comes once is cheapest as a plain object. */
function headersOf(
  { rawHeaders }: IncomingMessage,
  host: string | undefined,
): Record<string, string> | Headers {
  const fields: Record<string, string> = {};
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at]!.toLowerCase();
    if (name in fields) return joined(rawHeaders, host);
    if (!name.startsWith(":")) fields[name] = rawHeaders[at + 1]!;
  }
  if (host !== undefined) fields["host"] ??= host;
  return fields;
}

function joined(rawHeaders: readonly string[], host: string | undefined): Headers {
  const headers = new Headers();
  for (let at = 0; at < rawHeaders.length; at += 2) {
    if (!rawHeaders[at]!.startsWith(":")) headers.append(rawHeaders[at]!, rawHeaders[at + 1]!);
  }
  if (host !== undefined && !headers.has("host")) headers.set("host", host);
  return headers;
}

/** A body that is read when somebody reads it, as far as they want it. */
function bodyOf(
  incoming: IncomingMessage,
  outgoing: Answering,
): ReadableStream<Uint8Array<ArrayBuffer>> {
  let over = false;
  let begun = false;
  const begin = (controller: ReadableStreamDefaultController<Uint8Array>): void => {
    begun = true;
    const fail = (error?: unknown): void => {
      if (over) return;
      over = true;
      const lost = new DOMException("The connection was closed.", "AbortError");
      controller.error(error ?? lost);
    };
    incoming.on("data", ({ buffer, byteOffset, length }: Uint8Array) => {
      // What is left of it, when it was answered before all had come.
      if (over || outgoing.writableFinished) return;
      controller.enqueue(new Uint8Array(buffer, byteOffset, length));
      if (controller.desiredSize! <= 0) incoming.pause();
    });
    incoming.once("end", () => {
      if (over) return;
      over = true;
      controller.close();
    });
    incoming.on("error", fail);
    incoming.once("close", () => fail());
  };
  return new ReadableStream<Uint8Array<ArrayBuffer>>({
    pull(controller) {
      if (!begun) begin(controller);
      incoming.resume();
    },
    cancel() {
      over = true;
      // The rest is read, and dropped, so that the connection can go on.
      incoming.resume();
    },
  }, { highWaterMark: 0 });
}
