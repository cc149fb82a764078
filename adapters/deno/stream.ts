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
import type { Inherited } from "../../runtime/core/descriptors.ts";
import type { InternetEndpoint } from "../../runtime/core/endpoint.ts";
import { Address } from "../../runtime/core/endpoint.ts";
import { PorticoError } from "../../runtime/core/errors.ts";
import { acceptFailure, bindFailure, concernsOnePeer } from "../errno.ts";
import { duplicateOf, isInherited, readyListener } from "../posix/inherited.ts";
import { findDescriptor, setRemaining, stageFile } from "../posix/listen.ts";
import type { SocketFile } from "../posix/path.ts";
import { resolveHost } from "../posix/resolve.ts";
import { DenoConnection, setNoDelay } from "./connection.ts";
import type { GraftedListener } from "./graft.ts";
import { STREAM } from "./options.ts";

/** Accepting pauses this long after a failure, in ms, and twice as long after each further one. */
const BACK_OFF_FIRST = 10;
const BACK_OFF_LAST = 1000;

type DenoListener = Deno.TcpListener | Deno.UnixListener;

/** A listener, what is known of it, and how its descriptor is found. */
interface Opened {
  readonly listener: DenoListener;
  readonly address: Address;
  readonly find: () => Promise<number>;
}

/** As {@link Adapter.listen}, for `tcp` and `unix`. */
export async function listen(
  endpoint: BindableEndpoint,
  table: StreamTable,
  options: SocketOptions,
): Promise<Listener> {
  if (isInherited(endpoint)) return await listenInherited(endpoint, table, options);
  const file = await stageFile(endpoint);
  let opened: Opened | undefined;
  try {
    if (file !== undefined) {
      const listener = Deno.listen({ transport: "unix", path: file.path });
      const bound = new Address("unix", "", 0, file.path.replace(/^\0/, "@"));
      opened = { listener, address: file.address, find: () => findDescriptor(bound) };
    } else {
      opened = await openInternet(endpoint as InternetEndpoint, options);
    }
    await setRemaining(opened.find, endpoint.transport, options, STREAM);
    file?.publish(options.mode);
  } catch (error) {
    opened?.listener.close();
    file?.release();
    throw bindFailure(endpoint, error);
  }
  return new AcceptLoop(opened, file, table, options.noDelay ?? true);
}

async function openInternet(endpoint: InternetEndpoint, options: SocketOptions): Promise<Opened> {
  const { host } = await resolveHost(endpoint);
  // The key itself asks for --unstable-net, whatever its value.
  const reuse = options.reusePort === true ? { reusePort: true } : {};
  const listener = Deno.listen({ hostname: host, port: endpoint.port, ...reuse });
  const address = new Address("tcp", host, listener.addr.port, "");
  const find = options.reusePort === true ? findOwn : findDescriptor;
  return { listener, address, find: () => find(address) };
}

/** Where grafting cannot be, or descriptors have run out, `node:net` listens. */
async function listenInherited(
  endpoint: Inherited,
  table: StreamTable,
  options: SocketOptions,
): Promise<Listener> {
  const { openGraft } = await import("./graft.ts");
  const graft = await openGraft();
  let made: GraftedListener | undefined;
  try {
    const file = await readyListener(endpoint);
    made = await graft?.listener(endpoint).catch(() => undefined);
    if (made !== undefined) {
      const { fd, listener } = made;
      await setRemaining(fd, endpoint.transport, options, STREAM);
      const find = (): Promise<number> => Promise.resolve(fd);
      const opened = { listener, address: endpoint.address, find };
      return new AcceptLoop(opened, file, table, options.noDelay ?? true);
    }
  } catch (error) {
    made?.listener.close();
    throw bindFailure(endpoint, error);
  }
  const node = await import("../node/stream.ts");
  return await node.listen(endpoint, table, options);
}

/** Of this thread's listeners, where these can be told from those of others that share the port. */
async function findOwn(address: Address): Promise<number> {
  const { openGraft } = await import("./graft.ts");
  const fd = await (await openGraft())?.find(address) ?? -1;
  return fd >= 0 ? fd : await findDescriptor(address);
}

class AcceptLoop implements Listener {
  readonly address: Address;
  readonly #opened: Opened;
  readonly #file: SocketFile | undefined;
  readonly #table: StreamTable;
  readonly #noDelay: boolean;
  readonly #ended: Promise<void>;
  #closed = false;
  #timer: ReturnType<typeof setTimeout> | undefined = undefined;
  #wake: (() => void) | undefined = undefined;

  constructor(opened: Opened, file: SocketFile | undefined, table: StreamTable, noDelay: boolean) {
    this.address = opened.address;
    this.#opened = opened;
    this.#file = file;
    this.#table = table;
    this.#noDelay = noDelay;
    this.#ended = this.#run();
  }

  async #run(): Promise<void> {
    let pause = BACK_OFF_FIRST;
    while (!this.#closed) {
      try {
        // Closed or not by the time it is here: the kernel has let it in, so it is served.
        const conn = await this.#opened.listener.accept();
        pause = BACK_OFF_FIRST;
        if ("setNoDelay" in conn && this.#noDelay) setNoDelay(conn);
        new DenoConnection(conn, this.#table, this.address).start();
      } catch (thrown) {
        if (this.#closed) return;
        if (concernsOnePeer(thrown)) continue;
        this.#table.failure(acceptFailure(thrown, `: accepting on ${this.address} pauses`));
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
          this.#timer = setTimeout(resolve, pause);
        });
        pause = Math.min(2 * pause, BACK_OFF_LAST);
      }
    }
  }

  async duplicate(): Promise<number> {
    if (this.#closed) throw new PorticoError("NOT_SUPPORTED", "the listener is closed");
    return await duplicateOf(await this.#opened.find());
  }

  /** Deno keeps the socket until the accept that is under way has come back. */
  close(keep = false): Promise<void> {
    if (this.#closed) return this.#ended;
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#wake?.();
    if (!keep) this.#file?.release();
    this.#opened.listener.close();
    return this.#ended;
  }
}
