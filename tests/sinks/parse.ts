/** Receivers of syslog and of the journal, by the letter of their documents. They throw at the first thing that is wrong. */
import assert from "node:assert/strict";

/** A message of RFC 5424. */
export interface Message {
  readonly pri: number;
  readonly time: string;
  readonly host: string;
  readonly app: string;
  readonly pid: string;
  readonly id: string;
  readonly sdId: string | undefined;
  readonly params: readonly (readonly [string, string])[];
  readonly text: string;
}

const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

const HEADER =
  /^<(0|[1-9]\d{0,2})>1 (-|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{1,6}Z) ([!-~]{1,255}) ([!-~]{1,48}) ([!-~]{1,128}) ([!-~]{1,32}) /;
const PARAM = / ([!#-<>-\\^-~]{1,32})="((?:[^"\\\]]|\\["\\\]])*)"/y;

/** Reads one message of RFC 5424, which is all that there may be. */
export function parse5424(bytes: Uint8Array): Message {
  const source = strict.decode(bytes);
  const found = HEADER.exec(source);
  assert.ok(found !== null, `no header: ${source}`);
  const [header, pri, time, host, app, pid, id] = found;
  let at = header!.length;
  let sdId: string | undefined;
  const params: [string, string][] = [];
  if (source[at] === "-") at++;
  else {
    const start = /\[([!#-<>-\\^-~]{1,32})(?=[ \]])/y;
    start.lastIndex = at;
    const named = start.exec(source);
    assert.ok(named !== null, `no SD-ELEMENT: ${source}`);
    sdId = named[1];
    at = start.lastIndex;
    for (;;) {
      PARAM.lastIndex = at;
      const param = PARAM.exec(source);
      if (param === null) break;
      params.push([param[1]!, param[2]!.replace(/\\(["\\\]])/g, "$1")]);
      at = PARAM.lastIndex;
    }
    assert.equal(source[at++], "]", `the SD-ELEMENT does not end at ${at}: ${source}`);
  }
  assert.equal(source[at++], " ", `no MSG at ${at}: ${source}`);
  let text = source.slice(at);
  if (text.startsWith("\uFEFF")) text = text.slice(1);
  else assert.match(text, /^[ -~]*$/, "what is not ASCII begins with a BOM");
  assert.doesNotMatch(source, /\p{Cc}/u, "no control character");
  return {
    pri: Number(pri),
    time: time!,
    host: host!,
    app: app!,
    pid: pid!,
    id: id!,
    sdId,
    params,
    text,
  };
}

/** Reads one message of RFC 3164. */
export function parse3164(
  bytes: Uint8Array,
): { pri: number; time: string; host: string | undefined; tag: string; pid: string; text: string } {
  const source = strict.decode(bytes);
  const found =
    /^<(0|[1-9]\d{0,2})>([A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d) (?:([\w.:-]+) )?([\w./-]{1,32})\[(\d+)\]: (.*)$/s
      .exec(source);
  assert.ok(found !== null, `no message: ${source}`);
  assert.doesNotMatch(source, /\p{Cc}/u, "no control character");
  const [, pri, time, host, tag, pid, text] = found;
  return { pri: Number(pri), time: time!, host, tag: tag!, pid: pid!, text: text! };
}

/** Takes octet-counted messages apart (RFC 6587 §3.4.1); all of it has to be used up. */
export function splitCounted(stream: Uint8Array): Uint8Array[] {
  const messages: Uint8Array[] = [];
  let at = 0;
  while (at < stream.length) {
    const space = stream.indexOf(32, at);
    const digits = strict.decode(stream.subarray(at, space));
    assert.match(digits, /^[1-9]\d*$/, `MSG-LEN at ${at}`);
    const end = space + 1 + Number(digits);
    assert.ok(end <= stream.length, "a message is whole");
    messages.push(stream.subarray(space + 1, end));
    at = end;
  }
  return messages;
}

/** Takes messages apart that end with a byte. */
export function splitAt(stream: Uint8Array, byte: number): Uint8Array[] {
  const messages: Uint8Array[] = [];
  let at = 0;
  for (;;) {
    const end = stream.indexOf(byte, at);
    if (end < 0) break;
    messages.push(stream.subarray(at, end));
    at = end + 1;
  }
  assert.equal(at, stream.length, "the last message has its end");
  return messages;
}

/** Reads one entry of journald's native protocol. */
export function parseEntry(bytes: Uint8Array): Map<string, string> {
  const fields = new Map<string, string>();
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let at = 0;
  while (at < bytes.length) {
    const line = bytes.indexOf(10, at);
    assert.ok(line >= 0, "the last field ends");
    const equals = bytes.subarray(at, line).indexOf(61);
    const name = strict.decode(bytes.subarray(at, equals < 0 ? line : at + equals));
    assert.match(name, /^[A-Z][A-Z0-9_]{0,63}$/);
    let value: Uint8Array;
    if (equals >= 0) {
      value = bytes.subarray(at + equals + 1, line);
      at = line + 1;
    } else {
      const length = Number(view.getBigUint64(line + 1, true));
      value = bytes.subarray(line + 9, line + 9 + length);
      assert.equal(value.length, length);
      at = line + 9 + length;
      assert.equal(bytes[at++], 10, `the LF after ${name}`);
    }
    fields.set(name, strict.decode(value));
  }
  return fields;
}
