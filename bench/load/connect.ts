/** Connections of the load generator. */
import type { Target } from "./traffic.ts";

/** Connects, without Nagle's delay. */
export function connect<State>(
  target: Target,
  data: State,
  handler: Pick<Bun.SocketHandler<State>, "data" | "drain" | "close">,
): Promise<Bun.Socket<State>> {
  const tcp = target.transport === "tcp";
  const socket: Bun.SocketHandler<State> = {
    ...handler,
    open(socket) {
      if (tcp) socket.setNoDelay(true);
    },
    error(_, error) {
      console.error(error);
    },
  };
  return tcp
    ? Bun.connect<State>({ hostname: "127.0.0.1", port: target.port, data, socket })
    : Bun.connect<State>({ unix: target.path, data, socket });
}
