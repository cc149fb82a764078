/** UDP on `Bun.udpSocket`, where there is no FFI. */
import type { DatagramTable } from "../../runtime/core/contract.ts";
import type { Address } from "../../runtime/core/endpoint.ts";
import { codeOf } from "../../runtime/core/errors.ts";
import { udpAddress } from "../addresses.ts";
import { receiveFailure } from "../errno.ts";
import { UnbatchedSocket } from "../node/unbatched.ts";
import { AddressCache } from "../posix/address-cache.ts";

type BunSocket = Bun.udp.Socket<"uint8array">;

/** What Bun's callbacks belong to, which are given before there is a socket. */
interface Callbacks {
  data(bytes: Uint8Array, port: number, host: string): void;
  failed(error: unknown): void;
  drained(): void;
}

/** Opens Bun's socket. */
export async function openUdp(
  hostname: string,
  port: number,
  table: DatagramTable,
): Promise<{ readonly socket: BunUdpSocket; readonly bun: BunSocket }> {
  let callbacks: Callbacks | undefined = undefined;
  const bun = await Bun.udpSocket<"uint8array">({
    hostname,
    port,
    binaryType: "uint8array",
    socket: {
      data: (_socket, bytes, port, host) => callbacks?.data(bytes, port, host),
      drain: () => callbacks?.drained(),
      // Bun passes the error alone, whatever its types say.
      error: (...values: unknown[]) => callbacks?.failed(values.at(-1)),
    },
  });
  const socket = new BunUdpSocket(bun, table);
  callbacks = socket.callbacks;
  return { socket, bun };
}

class BunUdpSocket extends UnbatchedSocket {
  readonly #bun: BunSocket;
  readonly #peers = new AddressCache<Address>(udpAddress);
  /** What Bun would not take: it is tried again when there is room, in order. */
  #stuck: (() => void)[] = [];

  constructor(bun: BunSocket, table: DatagramTable) {
    const { address, port } = bun.address;
    super(udpAddress(address, port), address.includes(":"), false, table);
    this.#bun = bun;
  }

  readonly callbacks: Callbacks = {
    data: (bytes, port, host) => {
      if (this.receiving) {
        this.table.datagram(this, bytes, this.#peers.find(host, port), this.address);
      }
    },
    failed: (error) => {
      // The kernel repeats here what a send has reported already.
      if (codeOf(error) !== "EMSGSIZE") this.fail(receiveFailure(error ?? "RECEIVE_FAILED"));
    },
    drained: () => {
      const stuck = this.#stuck;
      this.#stuck = [];
      for (const again of stuck) again();
    },
  };

  protected transmit(
    bytes: Uint8Array<ArrayBuffer>,
    to: Address,
    sent: (error: unknown) => void,
  ): void {
    let failure: unknown;
    try {
      if (this.#stuck.length > 0 || !this.#bun.send(bytes, to.port, to.host)) {
        this.#stuck.push(() => this.transmit(bytes, to, sent));
        return;
      }
    } catch (error) {
      failure = error;
    }
    setImmediate(sent, failure);
  }

  protected release(): void {
    this.#bun.close();
  }
}
