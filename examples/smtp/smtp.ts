import { defineHooks, definePlugin, lines, PorticoError, type Session } from "portico";

/** What a client has said of one mail. TLS begins anew: whoever spoke before it may have been anybody. */
interface Mail {
  greeted: boolean;
  from: string | undefined;
  to: string[];
}

const LINE = lines(2000);
const MOST_RECIPIENTS = 100;
const MOST_BYTES = 1024 * 1024;

/** RFC 5321 in its least form, with STARTTLS of RFC 3207. Mails are counted, and go nowhere. */
export default definePlugin({
  name: "smtp",
  transports: ["stream"],
  start: ({ service }) =>
    defineHooks({
      setup: (): Mail => ({ greeted: false, from: undefined, to: [] }),
      async handle(session) {
        const { state } = session;
        const reply = (text: string): Promise<void> => session.send(`${text}\r\n`);
        const forget = (): void => void Object.assign(state, { from: undefined, to: [] });
        const commands: Readonly<Record<string, (argument: string) => Promise<void>>> = {
          EHLO() {
            state.greeted = true;
            forget();
            const more = session.tls === undefined ? "250-STARTTLS\r\n" : "";
            return reply(`250-${service}\r\n${more}250 SIZE ${MOST_BYTES}`);
          },
          HELO() {
            state.greeted = true;
            forget();
            return reply(`250 ${service}`);
          },
          async STARTTLS() {
            if (session.tls !== undefined) return await reply("503 TLS is there already");
            await reply("220 Go ahead");
            // What is behind the command in the same packet ends the session: it came from somebody in between.
            await session.startTls();
            state.greeted = false;
            forget();
          },
          MAIL(argument) {
            if (!state.greeted) return reply("503 EHLO first");
            const from = /^FROM:<(.*?)>/i.exec(argument)?.[1];
            if (from === undefined) return reply("501 Syntax: MAIL FROM:<address>");
            [state.from, state.to] = [from, []];
            return reply("250 OK");
          },
          RCPT(argument) {
            const to = /^TO:<(.+?)>/i.exec(argument)?.[1];
            if (state.from === undefined) return reply("503 MAIL first");
            if (to === undefined) return reply("501 Syntax: RCPT TO:<address>");
            if (state.to.push(to) > MOST_RECIPIENTS) return reply("452 Too many recipients");
            return reply("250 OK");
          },
          async DATA() {
            if (state.to.length === 0) return await reply("503 RCPT first");
            await reply("354 End with a dot");
            const bytes = await readMail(session);
            const { from, to } = state;
            forget();
            if (bytes > MOST_BYTES) return await reply("552 Too large");
            session.log.info("a mail", { from, to, bytes, tls: session.tls?.version ?? "none" });
            await reply("250 Taken, and dropped");
          },
          RSET() {
            forget();
            return reply("250 OK");
          },
          NOOP: () => reply("250 OK"),
        };
        await reply(`220 ${service} ESMTP`);
        for await (const line of session.frames(LINE)) {
          const [name = "", argument = ""] = line.split(/\s+(.*)/);
          if (name.toUpperCase() === "QUIT") return await reply("221 Bye");
          const command = commands[name.toUpperCase()];
          if (command === undefined) await reply("502 Unknown command");
          else await command(argument);
        }
      },
    }),
});

/** Reads up to the dot. @returns how many bytes there were; they are not kept. */
async function readMail(session: Session<Mail>): Promise<number> {
  let bytes = 0;
  for (;;) {
    const line = await session.read(LINE);
    if (line === undefined) throw new PorticoError("UNEXPECTED_END");
    if (line === ".") return bytes;
    bytes += line.length + 2;
  }
}
