import type { ResolvedIdentity } from "../identity/mod.ts";
import type { Groups } from "../services/groups.ts";

/** The control groups of a server, whose modules are loaded when the first service wants one. */
export class ServerGroups {
  #groups: Promise<Groups> | undefined = undefined;

  readonly get = (): Promise<Groups> =>
    this.#groups ??= import("../cgroup/groups.ts").then(({ ControlGroups }) => new ControlGroups());

  /** The server becomes somebody else. */
  async give({ uid, gid }: ResolvedIdentity): Promise<void> {
    (await this.#groups)?.give(uid, gid);
  }

  async close(): Promise<void> {
    (await this.#groups)?.close();
  }
}
