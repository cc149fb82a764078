import { writeFile } from "node:fs/promises";
import { resolve } from "node:path";
import { defineHooks, definePlugin, lines, PorticoError } from "portico";
import * as v from "valibot";

/** RFC 5321 in its least form. A mail becomes a file; `timeout` is for each line, `session` for all of them. */
export default definePlugin({
  name: "smtp",
  transports: ["stream"],
  options: v.strictObject({
    spool: v.string(),
    timeout: v.optional(v.string(), "5m"),
    session: v.optional(v.string(), "30m"),
  }),
  start: ({ options, folder, service }) =>
    defineHooks({
      setup: () => ({ from: "", to: [] as string[], leaving: new AbortController() }),
      async handle(session) {
        const { state } = session;
        const line = lines(2000);
        const reply = (text: string): Promise<void> => session.send(`${text}\r\n`);
        const read = (): Promise<string | undefined> =>
          session.read(line, { timeout: options.timeout, signal: state.leaving.signal });

        const commands: Readonly<Record<string, (argument: string) => unknown>> = {
          HELO: () => reply(`250 ${service}`),
          EHLO: () => reply(`250-${service}\r\n250 PIPELINING`),
          NOOP: () => reply("250 OK"),
          RSET() {
            [state.from, state.to] = ["", []];
            return reply("250 OK");
          },
          MAIL(argument) {
            state.from = /^FROM:<(.*?)>/i.exec(argument)?.[1] ?? "";
            return reply("250 OK");
          },
          RCPT(argument) {
            const to = /^TO:<(.+?)>/i.exec(argument)?.[1];
            if (to === undefined) return reply("501 Syntax: RCPT TO:<address>");
            state.to.push(to);
            return reply("250 OK");
          },
          async DATA() {
            if (state.to.length === 0) return await reply("503 Need RCPT first");
            await reply("354 End with a dot");
            let text = `Envelope: ${state.from} -> ${state.to.join(", ")}\n`;
            for (let next = await read(); next !== "."; next = await read()) {
              if (next === undefined) throw new PorticoError("UNEXPECTED_END");
              text += `${next.replace(/^\./, "")}\n`;
            }
            await writeFile(
              resolve(folder, options.spool, `${process.pid}-${session.id}.eml`),
              text,
            );
            [state.from, state.to] = ["", []];
            await reply("250 Delivered");
          },
        };

        session.deadline(options.session);
        await reply(`220 ${service} ESMTP`);
        for (let text = await read(); text !== undefined; text = await read()) {
          const [name = "", argument = ""] = text.split(/\s+(.*)/);
          if (name.toUpperCase() === "QUIT") return await reply("221 Bye");
          const command = commands[name.toUpperCase()];
          if (command === undefined) await reply("502 Unknown");
          else await command(argument);
        }
      },
      /** Whoever waits for its next command hears why it ends; so does who is in the middle of a mail. */
      retire: ({ state }) => state.leaving.abort(new Error("421 Shutting down")),
      error(session, error) {
        const { message, code } = error as PorticoError;
        if (message.startsWith("421")) session.write(`${message}\r\n`);
        else if (code === "ETIMEDOUT") session.write("421 Timeout\r\n");
        else if (code === "FRAME_TOO_LONG") session.write("500 Line too long\r\n");
        else if (code !== "UNEXPECTED_END") {
          session.write("451 Local error\r\n");
          throw error;
        }
      },
    }),
});
