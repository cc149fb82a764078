/** Sends a response of the runtime's own over `node:http`. */
import { Buffer } from "node:buffer";
import { once } from "node:events";
import { bytesOf } from "../../runtime/core/exchange.ts";
import { type Answering, breakOff } from "./answering.ts";
import type { Bodies } from "./bridge.ts";

/** Never rejects: of what fails on the way the exchange is told. */
export async function respond(
  response: Response,
  outgoing: Answering,
  { whole }: Bodies,
): Promise<void> {
  try {
    // Of a response whose body was asked for first, some runtimes have lost the type.
    setHead(response, outgoing);
    const all = outgoing.exchange?.streaming === true ? undefined : whole(response);
    if (typeof all === "string") return endWith(all, outgoing);
    if (all !== undefined) return endWith(await all, outgoing);
    const { body } = response;
    if (body === null) return void outgoing.end();
    await send(body.getReader(), outgoing);
  } catch (thrown) {
    outgoing.failed ??= { thrown };
    breakOff(outgoing);
  }
}

/** What HTTP/2 has no such headers for: RFC 9113, 8.2.2. */
const OF_CONNECTIONS: ReadonlySet<string> = new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  "transfer-encoding",
  "upgrade",
]);

/** Whether nobody is there any more to send to. */
function isGone({ destroyed, exchange }: Answering): boolean {
  return destroyed || exchange?.closed === true;
}

function setHead({ status, headers }: Response, outgoing: Answering): void {
  outgoing.statusCode = status;
  let cookies = false;
  for (const [name, value] of headers) {
    if (name === "set-cookie") cookies = true;
    else if (outgoing.stream === undefined || !OF_CONNECTIONS.has(name)) {
      outgoing.setHeader(name, value);
    }
  }
  if (cookies) outgoing.setHeader("set-cookie", headers.getSetCookie());
}

async function send(
  reader: ReadableStreamDefaultReader<Uint8Array>,
  outgoing: Answering,
): Promise<void> {
  const left = (): void => void reader.cancel("peer").catch(() => {});
  outgoing.once("close", left);
  try {
    const streams = outgoing.exchange?.streaming === true;
    // Nobody has to wait for the first of it to know that it is coming.
    if (streams) outgoing.flushHeaders();
    let next = await reader.read();
    if (!streams && !next.done) {
      const first = bytesOf(next.value);
      next = await reader.read();
      // All of it: then its length is known.
      if (next.done) return endWith(first, outgoing);
      await write(first, outgoing);
    }
    while (!next.done && !isGone(outgoing)) {
      await write(bytesOf(next.value), outgoing);
      next = await reader.read();
    }
    if (!isGone(outgoing)) outgoing.end();
  } catch (thrown) {
    void reader.cancel(thrown).catch(() => {});
    throw thrown;
  } finally {
    outgoing.off("close", left);
  }
}

function endWith(all: Uint8Array | string, outgoing: Answering): void {
  if (outgoing.req.method !== "HEAD") return void outgoing.end(all);
  if (!outgoing.hasHeader("content-length")) {
    outgoing.setHeader("content-length", Buffer.byteLength(all));
  }
  outgoing.end();
}

/** Resolves when there is room for more, or nobody is there any more. */
async function write(bytes: Uint8Array, outgoing: Answering): Promise<void> {
  if (outgoing.req.method === "HEAD" || isGone(outgoing) || outgoing.write(bytes)) return;
  const gone = new AbortController();
  const { signal } = gone;
  await Promise.race([once(outgoing, "drain", { signal }), once(outgoing, "close", { signal })]);
  gone.abort();
}
