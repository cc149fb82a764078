/** Starts a command with sockets that are open already, as systemd and inetd do. */
import type { PlainTransport } from "./adapter.ts";

/** Opens sockets from descriptor `first` on, as systemd does, and becomes the command: of the same pid. */
const LAUNCHER = `
import json, os, socket, sys
plan = json.loads(sys.argv[1])
kinds = {"tcp": (socket.AF_INET, socket.SOCK_STREAM), "udp": (socket.AF_INET, socket.SOCK_DGRAM),
         "unix": (socket.AF_UNIX, socket.SOCK_STREAM), "unixgram": (socket.AF_UNIX, socket.SOCK_DGRAM)}
early = []
for i, (kind, path) in enumerate(plan["sockets"]):
    one = socket.socket(*kinds[kind])
    one.bind(path or ("127.0.0.1", 0))
    if kind in ("tcp", "unix"):
        one.listen(16)
        if plan.get("early"):
            early.append(socket.socket(*kinds[kind]))
            early[-1].connect(one.getsockname())
            early[-1].sendall(b"early")
    os.dup2(one.fileno(), 100 + i)
    os.set_inheritable(100 + i, False)
for i in range(len(plan["sockets"])):
    os.dup2(100 + i, plan["first"] + i)
if early:
    # A child that hears what comes of it, and says so by its exit.
    if os.fork() == 0:
        os.closerange(plan["first"], plan["first"] + len(plan["sockets"]))
        heard = early[0].recv(100)
        open(plan["early"], "wb").write(heard)
        os._exit(0)
for name, value in plan["env"].items():
    os.environ[name] = str(os.getpid()) if value == "PID" else value
os.execvp(sys.argv[2], sys.argv[2:])
`;

export interface Launch {
  readonly sockets: readonly (readonly [PlainTransport, string?])[];
  readonly first?: number;
  readonly env?: Readonly<Record<string, string>>;
  /** Where what an early client was answered is written. */
  readonly early?: string;
}

/** The words that start a command with sockets of these. */
export function withSockets({ sockets, first = 3, env = {}, early }: Launch): readonly string[] {
  const plan = {
    sockets: sockets.map(([kind, path]) => [kind, path ?? ""]),
    first,
    env,
    ...(early !== undefined && { early }),
  };
  return ["python3", "-c", LAUNCHER, JSON.stringify(plan)];
}

/** What systemd sets for sockets of these names. */
export function systemdNames(...list: readonly string[]): Record<string, string> {
  return {
    LISTEN_PID: "PID",
    LISTEN_FDS: String(list.length),
    LISTEN_FDNAMES: list.join(":"),
  };
}
