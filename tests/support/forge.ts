/** Datagrams with a sender of our choice, as hosts elsewhere can forge them: raw(7). */
import { spawnSync } from "node:child_process";
import assert from "node:assert/strict";
import process from "node:process";

const FORGER = `
import socket, struct, sys
raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_UDP)
if len(sys.argv) > 1:
    source, source_port, target, target_port, text, count = sys.argv[1:]
    body = text.encode()
    raw.bind((source, 0))
    for _ in range(int(count)):
        # Over IPv4 the checksum may be left out.
        raw.sendto(struct.pack("!HHHH", int(source_port), int(target_port), 8 + len(body), 0) + body, (target, 0))
`;

/** Why nothing can be forged here; false when it can. */
export function lackingForgery(): string | false {
  if (process.platform !== "linux") return "datagrams are forged by means of Linux";
  const { status } = spawnSync("python3", ["-c", FORGER]);
  return status !== 0 && "it takes python3, and the right to open raw sockets";
}

/** Sends datagrams, from an address of this machine and whatever port. */
export function forge(
  from: readonly [host: string, port: number],
  to: readonly [host: string, port: number],
  text: string,
  count = 1,
): void {
  const words = [...from, ...to, text, count].map(String);
  const { status, stderr } = spawnSync("python3", ["-c", FORGER, ...words]);
  assert.equal(status, 0, String(stderr));
}
