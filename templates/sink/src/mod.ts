/** A sink: appends a line for each record to a file, as `level=info event=open service=echo`. */
import { createWriteStream } from "node:fs";
import { resolve } from "node:path";
import { defineSink, type LogRecord, type SinkDefinition } from "portico";
import * as v from "valibot";

/** What a manifest may say beside `type`. */
export interface Options {
  /** Relative to the manifest. */
  readonly path: string;
}

/** Bytes that wait for a slow disk; what comes beyond them is given up, and counted. */
const WAITING_MAX = 1_000_000;

const sink: SinkDefinition<Options> = defineSink({
  name: "__plugin__",
  options: v.strictObject({ path: v.string() }),
  open({ path }, { folder, warn }) {
    const out = createWriteStream(resolve(folder, path), { flags: "a" });
    out.on("error", (error) => warn(error.message));
    let dropped = 0;
    return {
      write(record) {
        if (out.destroyed || out.writableLength > WAITING_MAX) dropped++;
        else out.write(`${lineOf(record)}\n`);
      },
      flush: () => new Promise((done) => void out.write("", () => done())),
      dropped: () => dropped,
      close: () => new Promise((done) => void out.end(() => done())),
    };
  },
});

function lineOf(record: LogRecord): string {
  return Object.entries(record)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}=${/[\s"=]/.test(String(value)) ? quote(value) : value}`)
    .join(" ");
}

function quote(value: unknown): string {
  return JSON.stringify(String(value));
}

export default sink;
