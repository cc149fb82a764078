/** A server that speaks TLS by OpenSSL, in Python: no runtime's own, and the same for all of them. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Support } from "../../runtime/core/contract.ts";
import { certify } from "../support/certificates.ts";
import { until, within } from "../support/until.ts";
import type { Harness } from "./harness.ts";
import { programs } from "./stage.ts";

/** What a server does once the handshake is done. */
export type Manner =
  /** Sends back what it gets, until the end. */
  | "echo"
  /** Says `bye` to the first bytes, and ends. */
  | "bye"
  /** Says `half`, and closes its socket without a farewell. */
  | "cut"
  /** Says nothing, and resets. */
  | "reset"
  /** Sends what {@link pattern} makes, 5 MB, and reads only then. */
  | "pour"
  /** Never even begins. */
  | "silent"
  /** Is no TLS server: says `220 hello`. */
  | "plain";

/** What it has seen of a connection. */
export interface Seen {
  /** The name that it was asked for (SNI). */
  readonly name?: string | null;
  readonly version?: string;
  /** The common name of the client's certificate. */
  readonly client?: string | null;
  /** Why there was no handshake. */
  readonly failed?: string;
  /** How many bytes it has read, their sum, and how they ended: `farewell` (close_notify), `cut` or `reset`. */
  readonly received?: number;
  readonly sum?: number;
  readonly end?: "farewell" | "cut" | "reset";
}

const SERVER = `
import json, socket, ssl, struct, sys, zlib
home, manner, newest, asks = sys.argv[1:]
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(home + "/server.pem", home + "/server.key")
context.maximum_version = getattr(ssl.TLSVersion, newest)
if asks == "asks":
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(home + "/ca.pem")
names = []
context.sni_callback = lambda _socket, name, _context: names.append(name)
listener = socket.create_server(("127.0.0.1", 0))
def say(**what):
    print(json.dumps(what), flush=True)
def read(peer, seen, echo):
    while True:
        try:
            chunk = peer.recv(65536)
        except ssl.SSLEOFError:
            return "cut"
        except OSError:
            return "reset"
        if not chunk:
            return "farewell"
        seen["received"] += len(chunk)
        seen["sum"] = zlib.crc32(chunk, seen["sum"])
        if echo:
            peer.sendall(chunk)
def pattern(length):
    word, words = 2, []
    for _ in range(length // 4):
        word = (word * 1664525 + 1013904223) & 0xffffffff
        words.append(word)
    return struct.pack("<%dI" % len(words), *words)
def serve(plain):
    if manner == "silent":
        return plain.recv(65536) and plain.recv(65536)
    if manner == "plain":
        return plain.sendall(b"220 hello\\r\\n") or plain.recv(65536)
    names.clear()
    peer = context.wrap_socket(plain, server_side=True, suppress_ragged_eofs=False)
    subject = dict(pair[0] for pair in (peer.getpeercert() or {}).get("subject", ()))
    say(name=(names or [None])[0], version=peer.version(), client=subject.get("commonName"))
    seen = {"received": 0, "sum": 0}
    if manner == "pour":
        peer.sendall(pattern(5 * 1024 * 1024))
    if manner in ("echo", "pour"):
        seen["end"] = read(peer, seen, manner == "echo")
        say(**seen)
    else:
        peer.recv(65536)
    if manner == "bye":
        peer.sendall(b"bye")
    if manner == "cut":
        peer.sendall(b"half")
    if manner in ("cut", "reset"):
        if manner == "reset":
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return socket.close(peer.detach())
    peer.unwrap().close()
say(port=listener.getsockname()[1])
while True:
    plain = listener.accept()[0]
    try:
        serve(plain)
    except ssl.SSLError as error:
        say(failed=error.reason or str(error))
    except OSError as error:
        say(failed=str(error))
    plain.close()
`;

/** In PEM: whom to trust, whom not, and who we are. */
export interface Papers {
  readonly ca: string;
  readonly other: string;
  readonly cert: string;
  readonly key: string;
}

const FILES = [
  "ca.pem",
  "other.pem",
  "server.pem",
  "server.key",
  "client.pem",
  "client.key",
] as const;

/** Made once. */
let papers: Readonly<Record<typeof FILES[number], string>> | undefined;

function papersIn(home: string): NonNullable<typeof papers> {
  certify(home);
  const made = FILES.map((name) => [name, readFileSync(join(home, name), "utf8")] as const);
  return Object.fromEntries(made) as NonNullable<typeof papers>;
}

/** For {@link Case.needs}: a kernel, and a server. */
export const needsTls: (harness: Harness) => Support = programs("openssl", "python3");

export interface TlsServer {
  readonly port: number;
  /** Number `index` of what it has seen, when it is there: for each connection the handshake, then what has come. */
  look(index: number): Promise<Seen>;
}

/** How a server is started. */
export interface TlsManner {
  readonly manner?: Manner;
  readonly newest?: "TLSv1_2" | "TLSv1_3";
  /** It wants a certificate of the client's. */
  readonly asks?: boolean;
}

/** Starts a server, whose certificate is for `logs.example` and 127.0.0.1; it is gone when `use` is over. */
export async function withTlsServer(
  { manner = "echo", newest = "TLSv1_3", asks = false }: TlsManner,
  use: (server: TlsServer, papers: Papers) => Promise<void>,
): Promise<void> {
  const home = mkdtempSync(join(tmpdir(), "portico-"));
  const words = ["-c", SERVER, home, manner, newest, asks ? "asks" : "open"];
  try {
    papers ??= papersIn(home);
    for (const name of FILES) writeFileSync(join(home, name), papers[name]);
    const { "ca.pem": ca, "other.pem": other, "client.pem": cert, "client.key": key } = papers;
    const child = spawn("python3", words, { stdio: ["ignore", "pipe", "inherit"] });
    const ended = once(child, "close");
    const said: (Seen & { readonly port?: number })[] = [];
    createInterface({ input: child.stdout }).on("line", (line) => said.push(JSON.parse(line)));
    try {
      await until("a port", () => said.length > 0, 20_000);
      const { port } = said.shift()!;
      const look = async (index: number): Promise<Seen> => {
        await until(() => `${index + 1} of ${JSON.stringify(said)}`, () => said.length > index);
        return said[index]!;
      };
      await use({ port: port!, look }, { ca, other, cert, key });
    } finally {
      child.kill("SIGKILL");
      await within("the end of a server", ended);
    }
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
}
