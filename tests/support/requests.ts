/** An HTTP client on node:http, over TCP and Unix sockets: one connection for each request. */
import { type IncomingHttpHeaders, type IncomingMessage, request } from "node:http";
import { parseEndpoint } from "../../runtime/core/endpoint.ts";
import { within } from "./until.ts";

export interface RequestOptions {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

export interface WholeAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

/** Sends a request; resolves with the head of the answer. */
export function send(
  endpoint: string,
  path: string,
  asked: RequestOptions = {},
): Promise<IncomingMessage> {
  const place = parseEndpoint(endpoint);
  const where = "path" in place
    ? { socketPath: place.path }
    : { host: (place as { host: string }).host, port: (place as { port: number }).port };
  const { method = "GET", headers = {}, body } = asked;
  return new Promise((resolve, reject) => {
    const sent = request({ ...where, path, method, headers, agent: false }, resolve);
    sent.on("error", reject);
    sent.end(body);
  });
}

/** Asks, and waits for the whole answer. */
export async function get(
  endpoint: string,
  path: string,
  asked?: RequestOptions,
): Promise<WholeAnswer> {
  const whole = async (): Promise<WholeAnswer> => {
    const answer = await send(endpoint, path, asked);
    let text = "";
    answer.setEncoding("utf8");
    for await (const chunk of answer) text += chunk;
    return { status: answer.statusCode!, headers: answer.headers, text };
  };
  return await within(`an answer of ${endpoint} ${path}`, whole());
}
