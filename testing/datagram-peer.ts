import type { MemoryDatagrams } from "../adapters/memory/mod.ts";
import { BasePeer, type PeerInput } from "./base-peer.ts";
import { concat, type Data, toBytes } from "./bytes.ts";
import { type Expected, judge } from "./expectation.ts";

/** A datagram socket of somebody who talks to the service under test. */
export class DatagramPeer extends BasePeer {
  readonly kind = "datagram";
  readonly #socket: MemoryDatagrams;
  /** So many answers were expected already. */
  #taken = 0;

  constructor(input: PeerInput, socket: MemoryDatagrams) {
    super(input);
    this.#socket = socket;
    socket.changed = input.activity.note;
  }

  get #answers(): readonly Uint8Array[] {
    return this.#socket.sent.get(String(this.address)) ?? [];
  }

  get received(): Uint8Array {
    return concat(this.#answers);
  }

  override send(data: Data): void {
    this.#socket.deliver(toBytes(data), this.address);
  }

  override expect(data: Data): Promise<void>;
  override expect(pattern: RegExp): Promise<RegExpExecArray>;
  override expect(bytes: number): Promise<Uint8Array>;
  override async expect(expected: Expected): Promise<unknown> {
    this.begins(this.expect);
    while (this.#answers[this.#taken] === undefined) {
      if (await this.activity.next()) continue;
      const then = `nothing within ${this.activity.patience} ms`;
      throw this.failed(expected, new Uint8Array(), then);
    }
    const answer = this.#answers[this.#taken]!;
    const verdict = judge(expected, answer, true);
    const met = typeof verdict === "object" &&
      (expected instanceof RegExp || verdict.taken === answer.length);
    if (!met) throw this.failed(expected, answer, "as one datagram");
    this.#taken++;
    return verdict.value;
  }

  override async expectNothing(): Promise<void> {
    this.begins(this.expectNothing);
    await this.activity.rest();
    const more = this.#answers[this.#taken];
    if (more !== undefined) throw this.unexpected(more);
  }

  override async read(): Promise<Uint8Array | undefined> {
    await this.activity.rest();
    const answer = this.#answers[this.#taken];
    if (answer !== undefined) this.#taken++;
    return answer;
  }
}
