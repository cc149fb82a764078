/** Listeners of `node:net`, on any runtime. */
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import process from "node:process";
import type { OptionName, SocketOptions } from "../../runtime/core/contract.ts";
import { acceptFailure } from "../errno.ts";
import type { ListenTarget } from "../listen-target.ts";
import { ReopenedListener } from "../listener.ts";
import { descriptorLimit, lowestFree } from "../posix/descriptor-limit.ts";
import { descriptorOf } from "./handle.ts";
import { listenOn, listenOptions, setKeepAlive, STREAM } from "./options.ts";

export abstract class NetListener extends ReopenedListener {
  readonly ownOptions: readonly OptionName[] = STREAM;
  readonly #options: SocketOptions;
  readonly #paused: boolean;
  #server: Server;
  /** Where the runtime does not show it. */
  #fd = -1;
  #looking = false;

  /** @param paused what it accepts is not read until somebody asks for that. */
  constructor(target: ListenTarget, options: SocketOptions, paused: boolean) {
    super(target);
    this.#options = options;
    this.#paused = paused;
    this.#server = this.#makeServer();
  }

  /** A peer has connected. */
  protected abstract arrive(socket: Socket): void;

  async start(options: SocketOptions): Promise<void> {
    await this.#listen(listenOptions(this.target, options));
    if (this.target.inherited === undefined && !this.target.unix) {
      this.address = this.target.address((this.#server.address() as AddressInfo).port);
    }
    // It keeps its number; and whoever had it before may have another one for the same socket still.
    this.#fd = this.target.inherited?.fd ?? -1;
    if (descriptorOf(this.#server) < 0) this.prepareToPause = () => void this.#findOwn();
    descriptorLimit.add(this);
  }

  protected get ownDescriptor(): number {
    const shown = descriptorOf(this.#server);
    return shown >= 0 ? shown : this.#fd;
  }

  /** Only where the runtime shows no descriptor: see {@link PausableListener}. */
  prepareToPause?: () => void;

  async #findOwn(): Promise<void> {
    if (this.#fd < 0) this.#fd = await this.find();
  }

  #makeServer(): Server {
    const { noDelay = true } = this.#options;
    const options = { allowHalfOpen: true, pauseOnConnect: this.#paused, noDelay };
    return createServer(options, (socket: Socket) => {
      setKeepAlive(socket, this.#options);
      const fd = descriptorOf(socket);
      if (fd < 0) this.#look();
      this.arrive(socket);
      if (fd >= 0) descriptorLimit.accepted(fd);
    });
  }

  /**
   * Deno shows none. It accepts up to 128 connections before it tells of the first, nobody any more once descriptors have
   * run out meanwhile, and a server that closes cuts off those that were not told of yet. So there is a look before the
   * first of them may give its own back, and what follows comes after the last.
   */
  #look(): void {
    if (this.#looking) return;
    this.#looking = true;
    const lowest = lowestFree();
    process.nextTick(() => {
      this.#looking = false;
      descriptorLimit.accepted(lowest);
    });
  }

  async #listen(where: Parameters<typeof listenOn>[1]): Promise<void> {
    const server = this.#server;
    await listenOn(server, where);
    // From here on an error is an accept that failed.
    server.on("error", (error) => this.failure(acceptFailure(error)));
  }

  protected stopListening(): void {
    // Its callback would wait for the connections too; the port is free at once.
    this.#server.close();
    this.#fd = -1;
  }

  protected async listenOn(fd: number): Promise<void> {
    this.#server = this.#makeServer();
    await this.#listen({ fd });
    if (this.prepareToPause !== undefined) this.#fd = fd;
  }

  protected closeRuntime(_keep: boolean): void {
    if (this.#server.listening) this.#server.close();
  }
}
