import { definePlugin } from "portico";
import type { Session } from "portico";
import { syslogFrames } from "./framing.ts";
import { parse } from "./parse.ts";

/** Emergency to error, warning, notice and informational, debug. */
const LEVELS = ["error", "error", "error", "error", "warn", "info", "info", "debug"] as const;

/** A syslog server: each message becomes a record, with what it says of itself as fields. */
export default definePlugin({
  name: "syslogd",
  transports: ["stream", "datagram"],
  start: () => ({
    async handle(session) {
      // A datagram is one message, whatever is in it.
      const messages = session.kind === "datagram" ? session : session.frames(syslogFrames);
      for await (const bytes of messages) if (bytes.length > 0) note(session, bytes);
    },
  }),
});

function note({ log }: Session, bytes: Uint8Array): void {
  const { severity, text, ...fields } = parse(bytes);
  log[LEVELS[severity]!](text, { severity, ...fields });
}
