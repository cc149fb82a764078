/**
 * A connection of Bun's own that speaks TLS, as a server: the socket itself goes over to it. That takes less than
 * `node:tls`, which puts a stream of JavaScript on top: three quarters of the CPU for a handshake, and two thirds for a
 * bulk. How it differs from a connection in clear:
 *
 * - a read may have several records, so a chunk and the end may follow within the turn that has paused: they wait;
 * - `close` follows the peer's end at once when our side has ended.
 */
import { Buffer } from "node:buffer";
import { Socket } from "node:net";
import type { TLSSocketOptions } from "node:tls";
import type { Adapter, Connection } from "../../runtime/core/contract.ts";
import type { PorticoError } from "../../runtime/core/errors.ts";
import type { TlsContext, TlsInfo } from "../../runtime/core/tls.ts";
import type { Layer } from "../layer.ts";
import { ServerContext } from "../tls/context.ts";
import { handshakeFailure, recordFailure } from "../tls/failure.ts";
import { infoOf } from "../tls/info.ts";
import { BunConnection, EVENTS, NOBODY } from "./connection.ts";
import { layers } from "./layers.ts";
import { prepareReopening, reopen } from "./reopen.ts";

type TlsSocket = Bun.Socket<SecuredConnection>;

/** What a socket is told that is to speak TLS, beside its `data`. */
interface Manner {
  readonly tls: object;
  readonly socket: Bun.SocketHandler<SecuredConnection>;
  readonly isServer: true;
}

type Upgradable = {
  upgradeTLS(options: Manner): readonly [raw: unknown, secured: TlsSocket];
};

const HANDLERS: Bun.SocketHandler<SecuredConnection> = {
  ...EVENTS as Bun.SocketHandler<SecuredConnection>,
  open() {},
  handshake: ({ data }, done, doubt) => data.shaken(done, doubt),
  error: ({ data }, error) => data.failed(error),
  close: ({ data }, error) => data.lost(error ?? undefined),
};

/** By what a context has at a time. */
const manners = new WeakMap<TLSSocketOptions, Manner>();

/** What is told a socket. `node:tls` has nothing for it that is public; its own sockets do the same. */
function mannerOf(settings: TLSSocketOptions): Manner {
  const { secureContext, requestCert, rejectUnauthorized, ALPNProtocols, SNICallback } = settings;
  let manner = manners.get(settings);
  if (manner !== undefined) return manner;
  const contextOf = (context: object | undefined): unknown =>
    (context as { readonly context: unknown } | undefined)?.context;
  manner = {
    tls: {
      secureContext: contextOf(secureContext),
      requestCert: requestCert === true,
      rejectUnauthorized: rejectUnauthorized === true,
      ...(ALPNProtocols !== undefined && { ALPNProtocols: wireOf(ALPNProtocols as string[]) }),
    },
    socket: SNICallback === undefined ? HANDLERS : {
      ...HANDLERS,
      serverName(_data: unknown, name: string): unknown {
        let chosen: unknown;
        SNICallback(name, (_error, context) => chosen = contextOf(context));
        return chosen;
      },
    } as Bun.SocketHandler<SecuredConnection>,
    isServer: true,
  };
  manners.set(settings, manner);
  return manner;
}

/** RFC 7301, 3.1. */
function wireOf(names: readonly string[]): Buffer {
  return Buffer.concat(names.map((name) => Buffer.from([name.length, ...Buffer.from(name)])));
}

class SecuredConnection extends BunConnection {
  readonly #context: ServerContext;
  #secured = false;
  #authorized = false;
  #aborted = false;
  #closed = false;
  #error: PorticoError | undefined = undefined;
  #info: TlsInfo | undefined = undefined;
  #paused = false;
  /** What came while it was paused, beside bytes. */
  #ended = false;
  #lost = false;

  constructor(socket: TlsSocket, below: BunConnection, context: ServerContext) {
    super(socket as unknown as Bun.Socket<BunConnection>, below.context, below.remote, below.data);
    this.#context = context;
  }

  get tls(): TlsInfo | undefined {
    if (!this.#secured || this.#closed) return this.#info;
    return this.#info ??= infoOf(
      handshaken(this.socket as unknown as TlsSocket),
      this.#authorized,
    );
  }

  override pause(): void {
    this.#paused = true;
    super.pause();
  }

  override resume(): void {
    this.#paused = false;
    super.resume();
    // After the bytes.
    if (this.#ended || this.#lost) queueMicrotask(() => this.#catchUp());
  }

  /** A peer can tell that something is missing, since there is no farewell; it is no reset. */
  override abort(): void {
    if (this.#aborted) return;
    this.#aborted = true;
    if (this.#lost) queueMicrotask(() => this.closed(this.#error));
    else super.abort(true);
  }

  override secure(context: TlsContext): Connection {
    const { table } = this.context;
    return (context as Layer).over(this, table, (table) => {
      this.context = { ...this.context, table };
    });
  }

  /** From the runtime: the handshake is done, or has failed. `doubt` also says that nobody was asked for a certificate. */
  shaken(done: boolean, doubt: unknown): void {
    if (this.#aborted || this.#secured) return;
    if (!done || doubt != null && this.#context.strict) return this.failed(doubt);
    this.#authorized = doubt == null;
    this.#secured = true;
    this.context.table.secured?.(this);
  }

  /** From the runtime, which does not close for each. */
  failed(reason: unknown): void {
    if (this.#aborted) return;
    this.#fail(reason);
    super.abort(true);
  }

  #fail(reason: unknown): void {
    const { other } = this.#context;
    this.#error ??= this.#secured ? recordFailure(reason, other) : handshakeFailure(reason, other);
  }

  override peerEnded(): void {
    if (!this.#secured) this.failed(undefined);
    else if (this.#paused) this.#ended = true;
    else super.peerEnded();
  }

  /** From the runtime: nothing is left of the socket. */
  lost(reason: unknown): void {
    if (!this.#aborted && (!this.#secured || reason !== undefined)) this.#fail(reason);
    this.#lost = true;
    if (!this.#paused || this.#aborted || this.#error !== undefined) this.closed(this.#error);
  }

  override closed(error: PorticoError | undefined): void {
    this.#closed = true;
    super.closed(error);
  }

  #catchUp(): void {
    if (this.#paused) return;
    if (this.#ended) {
      this.#ended = false;
      super.peerEnded();
    }
    if (this.#lost && !this.#paused) this.closed(this.#error);
  }
}

/** As `node:tls` has it. */
function handshaken(socket: TlsSocket): Parameters<typeof infoOf>[0] {
  return {
    servername: socket.getServername(),
    alpnProtocol: socket.alpnProtocol,
    getCipher: () => socket.getCipher(),
    getProtocol: () => socket.getTLSVersion(),
    isSessionReused: () => socket.isSessionReused(),
    getPeerX509Certificate: () => socket.getPeerX509Certificate() ?? undefined,
  };
}

/** As a server: the sockets of `node:tls` have this way since Bun can. */
const canUpgrade = Symbol.for("::bunUpgradeServerTLS::") in Socket.prototype;

/** What listens where TLS begins with the connection. */
export function stream(): Promise<{ readonly listen: Adapter["listen"] }> {
  return canUpgrade ? import("./stream.ts") : import("../node/stream.ts");
}

function upgrade(below: BunConnection, context: ServerContext): Connection {
  const socket = below.socket as unknown as Upgradable;
  const [, secured] = socket.upgradeTLS(mannerOf(context.settings));
  const connection = new SecuredConnection(secured, below, context);
  secured.data = connection;
  below.replaced();
  return connection;
}

/** By way of `node:tls`. */
function wrap(below: BunConnection, context: TlsContext): Connection | undefined {
  const { local, remote, data } = below;
  const { table } = below.context;
  const socket = reopen((below.socket as unknown as { readonly fd: number }).fd);
  if (socket === undefined) return undefined;
  below.context = { ...below.context, table: NOBODY };
  below.abort(true);
  return (context as Layer).begin(socket, table, local, remote, data);
}

/** Makes {@link layers.secure} possible. */
export async function prepareTls(): Promise<void> {
  await prepareReopening();
  layers.secure = (below, context) =>
    canUpgrade && context instanceof ServerContext ? upgrade(below, context) : wrap(below, context);
}
