/** HTTP clients that keep their connections, and count what fails of what they have asked. */
import { connect, type Socket } from "node:net";

/** What clients have seen. */
export class KeepAliveTally {
  answered = 0;
  /** Requests that were sent and never answered. */
  readonly failed: string[] = [];
  /** Answers that were the last of their connection, and said so. */
  said = 0;
  /** Connections made. */
  connections = 0;
}

/** Asks one thing after the other, on one connection for as long as that lasts, while there is `more`. */
export function askSteadily(
  port: number,
  tally: KeepAliveTally,
  more: () => boolean,
): Promise<void> {
  return new Promise((resolve) => {
    let socket: Socket;
    let waiting = false;
    let text = "";
    const ask = (): void => {
      waiting = true;
      text = "";
      socket.write("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    };
    const open = (): void => {
      tally.connections++;
      let why = "closed";
      const made = socket = connect({ port, host: "127.0.0.1", noDelay: true });
      made.setEncoding("latin1").on("connect", ask).on("error", (error) => why = error.message);
      made.on("data", (chunk: string) => {
        text += chunk;
        const head = text.indexOf("\r\n\r\n");
        const length = /^content-length: (\d+)/im.exec(text)?.[1];
        if (head < 0 || text.length < head + 4 + Number(length)) return;
        waiting = false;
        tally.answered++;
        const last = /^connection: close/im.test(text);
        if (last) tally.said++;
        if (last || !more()) made.end();
        else ask();
      });
      made.on("close", () => {
        if (waiting) {
          tally.failed.push(`${why} after ${JSON.stringify(text)}`);
          waiting = false;
        }
        if (more()) open();
        else resolve();
      });
    };
    open();
  });
}
