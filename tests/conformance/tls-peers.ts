/** Peers of TLS that are nobody's of ours: `openssl s_client`, and sockets that do it wrong. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { connect } from "node:net";
import type { Address } from "../../runtime/core/endpoint.ts";
import { certificates } from "../support/certificates.ts";
import { within } from "../support/until.ts";

/**
 * What `openssl s_client` says, and what it is sent. It stays until `until` stands in that.
 *
 * @param input what it sends.
 * @param then what it sends after that; with it, it stays until the server has closed.
 */
export async function openssl(
  { port }: Address,
  words: readonly string[],
  input = "",
  until?: RegExp,
  then?: string,
): Promise<string> {
  const child = spawn("openssl", [
    ...["s_client", "-connect", `127.0.0.1:${port}`, "-CAfile", certificates().file("ca")],
    ...words,
  ], { stdio: ["pipe", "pipe", "pipe"] });
  let said = "";
  let more = then;
  const hear = (chunk: Uint8Array): void => {
    said += new TextDecoder("latin1").decode(chunk);
    if (until?.test(said) !== true) return;
    if (then === undefined) child.stdin.end();
    else if (more !== undefined) child.stdin.write(more);
    more = undefined;
  };
  child.stdout.on("data", hear);
  child.stderr.on("data", hear);
  child.stdin.on("error", () => {});
  child.stdin.write(input);
  if (until === undefined) child.stdin.end();
  await within(`openssl ${words.join(" ")}`, once(child, "close"));
  return said;
}

/** Sends bytes in pieces, one after the other, and gives back what comes until the end. */
export async function send(
  { port }: Address,
  pieces: readonly Uint8Array[],
  reset = false,
): Promise<Uint8Array> {
  const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true, noDelay: true });
  const chunks: Uint8Array[] = [];
  socket.on("data", (chunk: Uint8Array) => chunks.push(chunk));
  socket.on("error", () => {});
  await once(socket, "connect");
  for (const piece of pieces) {
    await new Promise<void>((written) => socket.write(piece, () => written()));
  }
  const closed = new Promise<void>((done) => socket.once("close", done));
  if (reset) socket.resetAndDestroy();
  else socket.once("end", () => socket.end());
  await within("the end of a peer", closed);
  return Buffer.concat(chunks);
}

/** How a {@link Leaver} goes: by close_notify, by a FIN alone, by force, or by force after a FIN. */
export type Leave = "farewell" | "half-close" | "reset" | "half-close and reset";

const LEAVER = `
import socket, ssl, struct, sys
port, length, answers, how = int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
context = ssl.create_default_context()
context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
peer = context.wrap_socket(socket.create_connection(("127.0.0.1", port)))
peer.sendall(b"x" * length)
while answers > 0:
    answers -= len(peer.recv(answers))
if how == "half-close and reset":
    socket.socket.shutdown(peer, socket.SHUT_WR)
if "reset" in how:
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    socket.close(peer.detach())
elif how == "half-close":
    socket.socket.shutdown(peer, socket.SHUT_WR)
else:
    peer.setblocking(False)
    try:
        peer.unwrap()
    except ssl.SSLWantReadError:
        pass
    peer.setblocking(True)
print("left", flush=True)
if how == "farewell":
    peer = peer.unwrap()
if "reset" not in how and peer.recv(1) == b"":
    print("ended", flush=True)
`;

/** Shakes hands, sends so many bytes, waits for as many as `answers`, and leaves. */
export class Leaver {
  /** It has. */
  readonly left: Promise<void>;
  /** What it says then: `ended` when the server has ended, too. */
  readonly said: Promise<string>;
  readonly stop: () => void;

  constructor({ port }: Address, length: number, how: Leave, answers = 0) {
    const words = ["-c", LEAVER, `${port}`, `${length}`, `${answers}`, how];
    const child = spawn("python3", words, { stdio: ["ignore", "pipe", "inherit"] });
    const left = Promise.withResolvers<void>();
    this.left = within(`a peer that leaves by a ${how}`, left.promise);
    let said = "";
    child.stdout.on("data", (chunk: Uint8Array) => {
      said += new TextDecoder().decode(chunk);
      if (said.startsWith("left\n")) left.resolve();
    });
    this.said = new Promise((resolve) => {
      child.once("close", () => {
        left.resolve();
        resolve(said.slice(5).trim());
      });
    });
    this.stop = () => child.kill("SIGKILL");
  }
}
