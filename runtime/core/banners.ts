/** What a service says to its sessions beside its plugin: to whom is let in, and to whom is turned away. */
import type { Refusal } from "./admission/candidate.ts";
import { fillBanner } from "./banner.ts";
import type { Connection } from "./contract.ts";
import type { Descriptors } from "./descriptors.ts";
import type { Address } from "./endpoint.ts";
import { Farewells } from "./farewells.ts";
import type { Service } from "./service.ts";
import type { StreamSession } from "./stream/session.ts";
import { countBytes } from "./totals.ts";

interface Known {
  readonly id: number;
  readonly remote: Address;
  readonly local: Address;
}

export class Banners {
  readonly #service: Service;
  readonly #farewells: Farewells;

  constructor(service: Service) {
    this.#service = service;
    this.#farewells = new Farewells(service.clock);
  }

  /** For a session that is let in, or turned away for `why`; undefined where nothing is said, as with a reset. */
  text({ id, remote, local }: Known, why?: Refusal): Uint8Array<ArrayBuffer> | undefined {
    const { clock, plan } = this.#service;
    const text = why === undefined ? plan.banner!.accept : plan.banner!.refuse;
    if (text === undefined || (why !== undefined && this.#service.resets(why))) return undefined;
    const time = clock.wall();
    return fillBanner(text, { service: plan.name, session: id, remote, local, time, why });
  }

  /** Before anything that its plugin writes, and in the same system call. */
  greet(session: StreamSession): void {
    const text = this.text(session);
    if (text !== undefined) session.write(text);
  }

  /** Over a socket that its plugin will be given: one that is new has room for it, or is gone. */
  greetSocket(
    descriptors: Pick<Descriptors, "send">,
    session: Known & { readonly fd: number },
  ): void {
    const text = this.text(session);
    if (text === undefined) return;
    try {
      descriptors.send(session.fd, text);
    } catch {
      // Whoever is given it will see.
    }
  }

  /** @returns false where nothing is said: it is still to be closed. */
  dismiss(session: StreamSession, why: Refusal, now: number): boolean {
    const text = this.text(session, why);
    if (text === undefined) return false;
    session.endsFor("refused");
    session.phase = "ending";
    session.write(text);
    session.finishWriting(now);
    this.#farewells.watch(session.connection);
    session.permit.returnTurn();
    return true;
  }

  /** As {@link dismiss}, with a socket that nobody has read from: it is ours then. */
  dismissSocket(
    descriptors: Pick<Descriptors, "adopt">,
    session: Known & { readonly fd: number },
    why: Refusal,
  ): boolean {
    const text = this.text(session, why);
    if (text === undefined) return false;
    countBytes(this.#service.counters, 0, text.length);
    const { remote, local } = session;
    this.#farewells.sayTo(descriptors, session.fd, { remote, local }, text);
    return true;
  }

  /** As {@link dismiss}, of a connection that has no session; its table drops what still comes, and tells {@link gone}. */
  dismissConnection(connection: Connection & Known, why: Refusal): boolean {
    const text = this.text(connection, why);
    if (text === undefined) return false;
    countBytes(this.#service.counters, 0, text.length);
    connection.write(text);
    connection.end();
    this.#farewells.watch(connection);
    return true;
  }

  /** Nothing is left of a connection. */
  gone(connection: Connection): void {
    this.#farewells.gone(connection);
  }
}
