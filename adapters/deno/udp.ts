/** UDP through `Deno.listenDatagram` alone, where the ffi permission is not given. */
import type { DatagramTable } from "../../runtime/core/contract.ts";
import type { Address } from "../../runtime/core/endpoint.ts";
import { UnbatchedSocket } from "../node/unbatched.ts";
import { UNNAMED } from "../posix/sockaddr.ts";
import { addressReader, receiveLoop } from "./receive.ts";

/** The largest datagram that is received, in bytes. */
const LARGEST = 65536;

/** Its sends are promises, which would overtake each other. */
export class DenoUdpSocket extends UnbatchedSocket {
  readonly #connection: Deno.DatagramConn;

  constructor(connection: Deno.DatagramConn, address: Address, table: DatagramTable) {
    super(address, address.host.includes(":"), true, table);
    this.#connection = connection;
    void receiveLoop(connection, {
      size: LARGEST,
      sender: addressReader<Address>((each) => each, UNNAMED),
      deliver: (bytes, from) => {
        if (this.receiving) table.datagram(this, bytes, from, address);
      },
      fail: (error) => this.fail(error),
    });
  }

  protected transmit(
    bytes: Uint8Array,
    { host: hostname, port }: Address,
    sent: (error: unknown) => void,
  ): void {
    const sending = this.#connection.send(bytes, { transport: "udp", hostname, port });
    sending.then(() => sent(undefined), sent);
  }

  protected release(): void {
    this.#connection.close();
  }
}
