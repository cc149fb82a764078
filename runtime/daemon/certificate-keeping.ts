/** The certificates of a server: read when a service asks for them, watched from then on. */
import type { Plan, TlsPlan } from "../core/plan.ts";
import type { Certificates } from "../services/contract.ts";
import type { ServerStatus } from "../services/status.ts";
import type { CertificateStore, StoredKeys } from "../services/tls/store.ts";
import type { Journal } from "./journal.ts";

export class CertificateKeeping {
  readonly #journal: Pick<Journal, "server">;
  /** Nothing of it is loaded where no service has any. */
  #store: CertificateStore | undefined = undefined;
  readonly #predecessor: StoredKeys;

  /** @param predecessor the keys of tickets of the server before this one. */
  constructor(journal: Pick<Journal, "server">, predecessor: StoredKeys = {}) {
    this.#journal = journal;
    this.#predecessor = predecessor;
  }

  /** See {@link Host.certificates}. */
  readonly get = async (plan: TlsPlan): Promise<Certificates> => {
    const [{ CertificateStore }, { watchFiles }] = await Promise.all([
      import("../services/tls/store.ts"),
      import("./watch.ts"),
    ]);
    if (this.#store === undefined) {
      this.#store = new CertificateStore({
        watch: watchFiles,
        tell: (level, event, fields) => this.#journal.server.emit(level, event, fields),
      });
      this.#store.succeed(this.#predecessor);
    }
    return await this.#store.get(plan);
  };

  /** Reads the files anew; what is wrong with them leaves a record, and changes nothing. */
  refresh(): void {
    this.#store?.refresh();
  }

  /** What no service of the plan has any more is forgotten. */
  keep({ services }: Pick<Plan, "services">): void {
    this.#store?.keep(
      services.flatMap(({ tls, listen }) =>
        [tls, ...listen.map((each) => each.tls)].filter((plan) => plan !== undefined)
      ),
    );
  }

  status(): Pick<ServerStatus, "certificates"> {
    return this.#store === undefined ? {} : { certificates: this.#store.status() };
  }

  /** For a successor. */
  ticketKeys(): StoredKeys {
    return this.#store?.ticketKeys() ?? {};
  }

  close(): void {
    this.#store?.close();
  }
}
