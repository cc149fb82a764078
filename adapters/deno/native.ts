/** `Deno.listenDatagram` alone, where the ffi permission is not given: one datagram at a time. */
import type { DatagramSocket, DatagramTable } from "../../runtime/core/contract.ts";
import type { Address } from "../../runtime/core/endpoint.ts";
import { PorticoError } from "../../runtime/core/errors.ts";
import { dropped, sendFailure } from "../posix/failure.ts";
import type { SocketFile } from "../posix/path.ts";
import { UNNAMED } from "../posix/peer.ts";
import { names, pump } from "./receive.ts";

/** Datagrams that may wait to be sent. */
const QUEUE_LIMIT = 1024;
const UDP_LIMIT = 65507;
const UNIX_LIMIT: number = 256 * 1024;

/** See {@link DatagramSocket}. */
export class NativeSocket implements DatagramSocket {
  data: unknown = undefined;
  readonly address: Address;
  readonly #connection: Deno.DatagramConn;
  readonly #unix: boolean;
  readonly #file: SocketFile | undefined;
  readonly #table: DatagramTable;
  #queue: { readonly bytes: Uint8Array; readonly to: Address }[] = [];
  #sending = false;
  #closed: Promise<void> | undefined;

  constructor(
    connection: Deno.DatagramConn,
    address: Address,
    unix: boolean,
    file: SocketFile | undefined,
    table: DatagramTable,
  ) {
    this.#connection = connection;
    this.address = address;
    this.#unix = unix;
    this.#file = file;
    this.#table = table;
    void pump(connection, {
      size: unix ? UNIX_LIMIT : 65536,
      sender: names<Address>((each) => each, UNNAMED),
      drain: (bytes, from) => table.datagram(this, bytes, from),
      fail: (error) => table.failure(this, error),
    });
  }

  send(bytes: Uint8Array, to: Address): boolean {
    if (this.#closed !== undefined) return true;
    if (this.#unix !== (to.host === "")) {
      const text = `${to} is no address that this socket can send to`;
      return this.#refuse(new PorticoError("SEND_FAILED", text, { side: "plugin" }));
    }
    if (this.#unix && to.path === "") return this.#refuse(new PorticoError("PEER_UNNAMED"));
    if (!this.#unix && bytes.length > UDP_LIMIT) return this.#refuse(sendFailure("EMSGSIZE", to));
    if (this.#queue.length >= QUEUE_LIMIT) {
      this.#refuse(dropped(1, to, this.#unix));
      return true;
    }
    this.#queue.push({ bytes: new Uint8Array(bytes), to });
    if (!this.#sending) void this.#flush();
    return true;
  }

  async #flush(): Promise<void> {
    this.#sending = true;
    while (this.#queue.length > 0) {
      const queue = this.#queue;
      this.#queue = [];
      for (const { bytes, to } of queue) {
        try {
          await this.#connection.send(bytes, target(to));
        } catch (error) {
          const code = (error as { code?: string }).code ?? "SEND_FAILED";
          if (this.#closed === undefined) this.#table.failure(this, sendFailure(code, to, error));
        }
      }
    }
    this.#sending = false;
  }

  #refuse(error: PorticoError): false {
    setTimeout(() => {
      if (this.#closed === undefined) this.#table.failure(this, error);
    });
    return false;
  }

  close(): Promise<void> {
    this.#closed ??= (async () => {
      // One turn for what has just been handed over.
      if (this.#sending) await new Promise((done) => setTimeout(done));
      this.#connection.close();
      this.#file?.release();
    })();
    return this.#closed;
  }
}

function target(to: Address): Deno.Addr {
  if (to.host !== "") return { transport: "udp", hostname: to.host, port: to.port };
  const path = to.path.startsWith("@") ? `\0${to.path.slice(1)}` : to.path;
  return { transport: "unixpacket", path };
}
