/** How a stream comes to its pipeline. */
import type { Refusal } from "../admission/candidate.ts";
import type { RuleOptions } from "../plan.ts";
import type { Permit } from "../admission/permit.ts";
import type { TlsServerContext } from "../tls.ts";
import type { StreamSession } from "./session.ts";

/** What a stream brings along that was admitted elsewhere, or that the plugin has opened itself. */
export interface Accepted {
  /** The session's number. */
  readonly id: number;
  readonly permit: Permit;
  /** See {@link Candidate.ruleOptions}. */
  readonly ruleOptions?: RuleOptions | undefined;
  /** TLS begins first. */
  readonly tls?: TlsServerContext | undefined;
  /** What {@link StreamSession.state} begins as. */
  readonly state?: unknown;
  /** Nothing is read and no hook is called until it resolves: somebody has to be told first. */
  readonly held?: Promise<void>;
}

/** What lets a stream in: {@link Admission}, or what stands for it where the sockets are not. */
export interface StreamAdmission {
  admit(session: StreamSession): Permit | Refusal;
}
