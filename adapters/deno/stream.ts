/**
 * Stream listeners on `Deno.listen`, which costs 10 to 40 % less CPU for a message than `node:net`
 * under Deno. Accepting is a loop of promises: when it fails (EMFILE) it pauses, with back-off, and
 * goes on; what it costs one newcomer (ECONNABORTED) it does not pause for.
 */
import type {
  BindableEndpoint,
  Listener,
  SocketOptions,
  StreamTable,
} from "../../runtime/core/contract.ts";
import type { InternetEndpoint } from "../../runtime/core/endpoint.ts";
import { Address } from "../../runtime/core/endpoint.ts";
import { toPorticoError } from "../../runtime/core/errors.ts";
import { bindFailure } from "../posix/failure.ts";
import { findDescriptor, setRemaining, stageFile } from "../posix/listen.ts";
import { resolveHost } from "../posix/resolve.ts";
import { DenoConnection } from "./connection.ts";
import { STREAM } from "./options.ts";

/** Accepting pauses this long after a failure, in ms, and twice as long after each further one. */
const BACK_OFF_FIRST = 10;
const BACK_OFF_LAST = 1000;

/** As {@link Adapter.listen}, for `tcp` and `unix`. */
export async function listen(
  endpoint: BindableEndpoint,
  table: StreamTable,
  options: SocketOptions,
): Promise<Listener> {
  const file = await stageFile(endpoint);
  let listener: Deno.TcpListener | Deno.UnixListener | undefined;
  let address: Address;
  try {
    if (file !== undefined) {
      listener = Deno.listen({ transport: "unix", path: file.path });
      ({ address } = file);
    } else {
      const { host } = await resolveHost(endpoint as InternetEndpoint);
      const { port } = endpoint as InternetEndpoint;
      // The key itself asks for --unstable-net, whatever its value.
      const reuse = options.reusePort === true ? { reusePort: true } : {};
      const made = Deno.listen({ hostname: host, port, ...reuse });
      listener = made;
      address = new Address("tcp", host, made.addr.port, "");
    }
    await setRemaining(() => findDescriptor(address), endpoint.transport, options, STREAM);
    file?.publish(options.mode);
  } catch (error) {
    listener?.close();
    file?.release();
    throw bindFailure(endpoint, error);
  }
  const loop = new AcceptLoop(listener, table, address, options.noDelay ?? true);
  return {
    address,
    close: () => {
      file?.release();
      return loop.close();
    },
  };
}

class AcceptLoop {
  readonly #listener: Deno.TcpListener | Deno.UnixListener;
  readonly #table: StreamTable;
  readonly #bound: Address;
  readonly #noDelay: boolean;
  readonly #ended: Promise<void>;
  #closed = false;
  #timer: ReturnType<typeof setTimeout> | undefined = undefined;
  #wake: (() => void) | undefined = undefined;

  constructor(
    listener: Deno.TcpListener | Deno.UnixListener,
    table: StreamTable,
    bound: Address,
    noDelay: boolean,
  ) {
    this.#listener = listener;
    this.#table = table;
    this.#bound = bound;
    this.#noDelay = noDelay;
    this.#ended = this.#run();
  }

  async #run(): Promise<void> {
    let pause = BACK_OFF_FIRST;
    while (!this.#closed) {
      try {
        const conn = await this.#listener.accept();
        if (this.#closed) return conn.close();
        pause = BACK_OFF_FIRST;
        if ("setNoDelay" in conn && this.#noDelay) setNoDelay(conn);
        new DenoConnection(conn, this.#table, this.#bound).start();
      } catch (thrown) {
        if (this.#closed) return;
        const error = toPorticoError(thrown, "ACCEPT_FAILED");
        if (error.side === "peer") continue;
        this.#table.failure(error);
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
          this.#timer = setTimeout(resolve, pause);
        });
        pause = Math.min(2 * pause, BACK_OFF_LAST);
      }
    }
  }

  /** Deno keeps the socket until the accept that is under way has come back. */
  close(): Promise<void> {
    if (this.#closed) return this.#ended;
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#wake?.();
    this.#listener.close();
    return this.#ended;
  }
}

function setNoDelay(conn: Deno.TcpConn): void {
  try {
    conn.setNoDelay(true);
  } catch {
    // The peer has gone already: the first read says so.
  }
}
