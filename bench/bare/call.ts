/**
 * How the harness calls a bare server: `SERVER TRANSPORT HANDLER ADDRESS`, as `tcp echo 40001` or
 * `unix echo /tmp/x.sock`.
 */
import process from "node:process";

export type StreamHandler = "echo" | "bulk" | "pipelined" | "idle";

/** What a bare server is to be. */
export interface Call {
  readonly transport: "tcp" | "udp" | "unix" | "unixgram" | "http";
  /**
   * `echo`; `bulk` is the echo of streams that is written for much at once; `pipelined` answers each message by itself; `idle` also collects garbage when asked. Of HTTP: a
   * `hono` app, a handler that makes a `response`, what the runtime has below that (`native`), `srvx`.
   */
  readonly handler: StreamHandler | "hono" | "response" | "native" | "srvx";
  readonly port: number;
  readonly path: string;
}

/** Reads the command line. The harness is the only caller, so it is taken at its word. */
export function call(): Call {
  const [transport, handler, address] = process.argv.slice(2);
  return {
    transport: transport as Call["transport"],
    handler: handler as Call["handler"],
    port: Number(address),
    path: String(address),
  };
}

/** Says that connections are welcome: the start-up time of a bare server ends here. */
export function listening(): void {
  process.stdout.write('{"event":"listening"}\n');
}
