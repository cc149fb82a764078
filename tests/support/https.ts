/** Services of https in this process, and peers of theirs. */
import { execFile } from "node:child_process";
import { once } from "node:events";
import { request } from "node:https";
import type { Socket } from "node:net";
import type { TestContext } from "node:test";
import { promisify } from "node:util";
import type { RequestSession } from "../../runtime/mod.ts";
import { type CertificateName, type Certificates, certificates } from "./certificates.ts";
import { type InProcessServer, startHooks } from "./in-process.ts";
import { within } from "./until.ts";

export const made: Certificates = certificates();
export const pair = (name: CertificateName): { cert: string; key: string } => ({
  cert: made.file(name),
  key: made.file(name, "key"),
});
export const TLS: ReturnType<typeof pair> = pair("server");

export type Fetch = (
  request: Request,
  info: { session: RequestSession },
) => Response | Promise<Response>;

export async function serve(
  t: TestContext,
  fetch: Fetch,
  service: Readonly<Record<string, unknown>> = {},
): Promise<InProcessServer> {
  return await startHooks(t, { fetch }, {
    listen: "https://127.0.0.1:0",
    tls: TLS,
    ...service,
  });
}

export const portOf = (server: InProcessServer): number => Number(new URL(server.endpoint()).port);

/** What curl(1) prints. It trusts our authority, and takes any name for 127.0.0.1. */
export const curl = (server: InProcessServer, ...words: readonly string[]): Promise<string> =>
  startCurl(server, words);

/** @param signal ends it before that. */
export async function startCurl(
  server: InProcessServer,
  words: readonly string[],
  signal?: AbortSignal,
): Promise<string> {
  const port = portOf(server);
  const all = words.map((word) => word.replace(/^https:\/\/([\w.]+)(?=\/)/, `https://$1:${port}`));
  const resolve = ["a.example", "b.example", "x.w.example", "logs.example"].flatMap((name) => [
    "--resolve",
    `${name}:${port}:127.0.0.1`,
  ]);
  const { stdout } = await promisify(execFile)(
    "curl",
    ["-sS", "--max-time", "20", "--cacert", made.file("ca"), ...resolve, ...all],
    { maxBuffer: 200 * 1024 * 1024, ...(signal !== undefined && { signal }) },
  );
  return stdout;
}

/** One whole answer. */
export async function ask(
  server: InProcessServer,
  path: string,
  options: object = {},
): Promise<{ readonly status: number; readonly text: string }> {
  const sent = request({
    host: "127.0.0.1",
    port: portOf(server),
    path,
    ca: made.cert("ca"),
    agent: false,
    ...options,
  }).end();
  const [answer] = await within("an answer", once(sent, "response"));
  let text = "";
  for await (const chunk of answer.setEncoding("utf8")) text += chunk;
  return { status: answer.statusCode, text };
}

/** Whether by an end or by a reset. */
export const closed = (socket: Socket): Promise<unknown> =>
  new Promise((resolve) => socket.once("close", resolve));

export const tls: Fetch = ({ url }, { session }) => Response.json({ url, ...session.tls });
