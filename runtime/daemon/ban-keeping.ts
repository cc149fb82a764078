/** The bans of a server: what its manifest says of them, their records, the file that they are kept in. */
import type { Bans } from "../services/bans/bans.ts";
import type { BansFile } from "../services/bans/file.ts";
import { banFrom } from "../services/bans/stored.ts";
import type { Plan } from "../core/plan.ts";
import type { Journal } from "./journal.ts";
import type { Predecessor } from "./upgrade.ts";

export class BanKeeping {
  readonly #bans: Bans;
  readonly #journal: Journal;
  #file: BansFile | undefined = undefined;

  constructor(bans: Bans, journal: Journal) {
    this.#bans = bans;
    this.#journal = journal;
    bans.tell = (level, event, fields) => {
      const { service } = fields;
      const log = service === undefined ? undefined : journal.logs.get(service);
      (log ?? journal.server).emit(level, event, fields);
    };
  }

  /** Before anybody is let in. */
  async open({ bans, services }: Plan, predecessor: Predecessor | undefined): Promise<void> {
    this.#bans.configure(bans, services);
    if (bans.file !== undefined) {
      const { BansFile } = await import("../services/bans/file.ts");
      this.#file = new BansFile(this.#bans, bans.file, (message) => {
        const fields = { code: "CONTROL_FAILED", message, side: "host" };
        this.#journal.server.emit("warn", "error", fields);
      });
      this.#file.open();
    }
    predecessor?.takeBans((change) => {
      if ("ban" in change) this.#bans.adopt([banFrom(change.ban)]);
      else if (this.#bans.has(change.unban)) this.#bans.unban(change.unban);
    });
  }

  /** The manifest is another one. */
  change({ bans, services }: Plan): void {
    this.#bans.configure(bans, services);
  }

  /** What was changed is written, before a successor reads it. */
  async flush(): Promise<void> {
    await this.#file?.flush();
  }

  /** A successor has them. */
  give(): void {
    this.#file?.give();
  }

  async close(): Promise<void> {
    await this.#file?.close();
    this.#bans.close();
  }
}
