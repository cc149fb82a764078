/** A server of one echo. */
import assert from "node:assert/strict";
import type { PlainTransport } from "./adapter.ts";
import { dial, openDatagrams } from "./peers.ts";
import type { Scope } from "./scope.ts";
import { manifest, type ServerProcess } from "./server-process.ts";

/** A manifest of one echo, as a file. */
export function echoManifest(service: object): { "portico.json": string } {
  return { "portico.json": manifest({ echo: { plugin: "echo", ...service } }) };
}

/** Asserts that the service `echo` of a server echoes on a transport. */
export async function assertEchoes(
  t: Scope,
  server: ServerProcess,
  kind: PlainTransport,
  text: string = kind,
): Promise<void> {
  const endpoint = server.endpoint("echo", kind);
  if (kind === "tcp" || kind === "unix") {
    const peer = await dial(t, endpoint);
    await peer.echo(text);
    peer.end();
    return await peer.over();
  }
  const client = await openDatagrams(t, kind);
  assert.equal(new TextDecoder().decode(await client.ask(text, endpoint)), text);
}
