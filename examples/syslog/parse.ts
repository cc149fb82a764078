/** What a message says of itself; what it does not say is absent. */
export interface Message {
  readonly facility: string;
  readonly severity: number;
  /** As it came: RFC 3339 with RFC 5424, `Nov  5 12:00:00` with RFC 3164. */
  readonly sent?: string;
  readonly host?: string;
  readonly app?: string;
  readonly pid?: string;
  readonly id?: string;
  /** Structured data: `{ "portico@32473": { "session": "17" } }`. */
  readonly data?: Readonly<Record<string, Readonly<Record<string, string>>>>;
  readonly text: string;
}

const FACILITIES = ("kern user mail daemon auth syslog lpr news uucp cron authpriv ftp ntp audit " +
  "alert clock local0 local1 local2 local3 local4 local5 local6 local7").split(" ");
/** user.notice, where a message has no priority (RFC 3164 §4.3.3). */
const SILENT = 13;

const PRI = /^<(\d{1,3})>/;
const RFC5424 = /^1 (?<sent>\S+) (?<host>\S+) (?<app>\S+) (?<pid>\S+) (?<id>\S+) /;
const RFC3164 = /^([A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d) /;
const TAG = /^(?:([\w.:-]+) )?([^\s:[\]]+)(?:\[([^\]]*)\])?: ?/;
const ELEMENT = /\[([^\s=\]"]+)((?: [^\s=\]"]+="(?:[^"\\\]]|\\.)*")*)\]/y;
const PARAM = / ([^\s=\]"]+)="((?:[^"\\\]]|\\.)*)"/g;

/** Reads a message of RFC 5424 or RFC 3164. Whatever is neither is a text without more. */
export function parse(bytes: Uint8Array): Message {
  const source = new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes).replace(
    /[\r\n\0]+$/,
    "",
  );
  const found = PRI.exec(source);
  const pri = found !== null && Number(found[1]) < 192 ? Number(found[1]) : SILENT;
  const rest = pri === SILENT && found?.[1] !== "13" ? source : source.slice(found![0].length);
  const priority = { facility: FACILITIES[pri >> 3]!, severity: pri & 7 };
  return { ...priority, ...(modern(rest) ?? old(rest)) };
}

type Rest = Omit<Message, "facility" | "severity">;

function modern(source: string): Rest | undefined {
  const header = RFC5424.exec(source);
  if (header === null) return undefined;
  let at = header[0].length;
  const data: [id: string, params: Record<string, string>][] = [];
  if (source[at] === "-") at++;
  for (ELEMENT.lastIndex = at;; at = ELEMENT.lastIndex) {
    const element = ELEMENT.exec(source);
    if (element === null) break;
    const params = [...element[2]!.matchAll(PARAM)].map(([, name, value]) =>
      [name!, value!.replace(/\\(["\\\]])/g, "$1")] as const
    );
    data.push([element[1]!, Object.fromEntries(params)]);
  }
  return {
    ...said(header.groups!),
    // A sender may call an element __proto__.
    ...(data.length > 0 && { data: Object.fromEntries(data) }),
    text: source.slice(at).replace(/^ \uFEFF?/, ""),
  };
}

function old(source: string): Rest {
  const time = RFC3164.exec(source);
  if (time === null) return { text: source };
  const rest = source.slice(time[0].length);
  const tag = TAG.exec(rest);
  if (tag === null) return { sent: time[1]!, text: rest };
  const [all, host, app, pid] = tag;
  return { sent: time[1]!, ...said({ host, app, pid }), text: rest.slice(all.length) };
}

/** Without what is `-`, the NILVALUE, or not there. */
function said(fields: Record<string, string | undefined>): Partial<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(fields).filter(([, value]) => value !== undefined && value !== "-"),
  ) as Partial<Record<string, string>>;
}
