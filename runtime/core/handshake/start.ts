/** `session.startTls()`: TLS in the middle of a session, as with the STARTTLS of SMTP, IMAP and XMPP. */
import { objectWith, wrongType } from "../arguments.ts";
import type { Adapter } from "../contract.ts";
import { closedError, PorticoError } from "../errors.ts";
import type { StartTlsOptions } from "../plugin.ts";
import type { StreamSession } from "../stream/session.ts";
import { withoutTls } from "./absent.ts";
import type { TlsContext, TlsInfo, TlsServerContext } from "../tls.ts";

/** Begins TLS of a session. Rejects when it comes to nothing. */
export type StartTls = (session: StreamSession, options: StartTlsOptions) => Promise<TlsInfo>;

/** Of sessions that have come to us. @param server undefined where only endpoints speak TLS. */
export function startAccepted(server: TlsServerContext | undefined): StartTls {
  return (session, options) => {
    if (server === undefined) return Promise.reject(withoutTls(session.service.plan.name));
    return begin(session, options, () => server);
  };
}

/** Of sessions that a plugin has opened: we are the client. */
export function startOpened(adapter: Pick<Adapter, "tls" | "defer">): StartTls {
  return async (session, options) => {
    // Who has connected just now has a session that is served one turn later.
    for (let turn = 0; turn < 2 && session.phase === "setup"; turn++) {
      await new Promise<void>((resolve) => adapter.defer(resolve));
    }
    return await begin(session, options, async () => {
      if (adapter.tls === undefined) throw new PorticoError("NOT_SUPPORTED");
      const { serverName = session.serverName ?? session.remote.host } = options;
      return (await adapter.tls()).client(options, serverName);
    });
  };
}

async function begin(
  session: StreamSession,
  options: StartTlsOptions,
  context: () => TlsContext | Promise<TlsContext>,
): Promise<TlsInfo> {
  objectWith("options of startTls", "an object", options);
  const { rest } = options;
  if (rest !== undefined && !(rest instanceof Uint8Array)) {
    throw wrongType("rest of startTls", "bytes (a Uint8Array)", rest);
  }
  if (session.sealed || session.phase !== "served") throw closedError();
  if (session.handshake !== undefined || session.tls !== undefined) {
    throw misuse("the session speaks TLS already");
  }
  if (session.isRead) throw misuse("a read of the session is waiting");
  if (session.way !== undefined) throw misuse("the session is piped");
  const early = session.unread + (rest?.length ?? 0);
  // What was written before is the adapter's from here on: it goes out in clear.
  session.flush();
  const handshake = session.service.handshakes!.interrupt(session, undefined);
  const { outcome } = handshake;
  outcome.catch(() => {});
  handshake.enter();
  if (early > 0) {
    session.service.blame(session, { offence: "bytes in clear before TLS" });
    handshake.fail(new PorticoError("TLS_INJECTION"));
    return await outcome;
  }
  try {
    handshake.context = await context();
  } catch (error) {
    session.kill("error");
    throw error;
  }
  handshake.enter();
  return await outcome;
}

function misuse(why: string): Error {
  return new Error(`Cannot start TLS: ${why}`);
}
