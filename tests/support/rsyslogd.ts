/** A real rsyslogd on sockets, ports and in a folder of its own. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import {
  closeSync,
  existsSync,
  openSync,
  readFileSync,
  readSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { certify } from "./certificates.ts";
import { folder } from "./folder.ts";
import { lackingPrograms, pathOf } from "./packages.ts";
import { freePort, freeUdpPort } from "./ports.ts";
import { until, within } from "./until.ts";
import type { Scope } from "./scope.ts";
import { sendSignal } from "./proc.ts";

/** What it has understood of one message. */
export interface Stored {
  readonly host: string;
  readonly tag: string;
  readonly pid: string;
  readonly id: string;
  readonly priority: string;
  readonly data: string;
  readonly text: string;
}

/** What it takes: a property each, with tabs between; none is in a message, whose control characters are escaped. */
const TEMPLATE =
  "%hostname%\\t%app-name%\\t%procid%\\t%msgid%\\t%syslogfacility-text%.%syslogseverity-text%\\t%structured-data%\\t%msg%\\n";

/** Why it is started without TLS; false when it has it. */
export const lackingRsyslogTls: string | false = lackingPrograms("openssl", "lmnsd_ossl.so");

/** One that is started, stopped and started again, and keeps its ports. */
export class Rsyslogd {
  readonly home: string;
  /** Its /dev/log; beside it is one that takes RFC 5424. */
  readonly log: string;
  readonly udp: number;
  readonly tcp: number;
  readonly tls: number;
  readonly #out: string;
  #child: ChildProcess | undefined = undefined;
  #errors = "";
  readonly #lines: string[] = [];
  /** Bytes of the file that are in them. */
  #read = 0;

  private constructor(home: string, ports: readonly number[]) {
    this.home = home;
    this.log = join(home, "log");
    this.#out = join(home, "out");
    [this.udp, this.tcp, this.tls] = ports as [number, number, number];
  }

  /** Its configuration and certificates are made; nothing runs yet. It is gone when `scope` is over. */
  static async prepare(scope: Scope): Promise<Rsyslogd> {
    const home = folder(scope, {});
    const made = new Rsyslogd(home, [await freeUdpPort(), await freePort(), await freePort()]);
    if (lackingRsyslogTls === false) certify(home);
    writeFileSync(join(home, "rsyslog.conf"), made.#configuration());
    scope.after(() => made.stop("SIGKILL"));
    return made;
  }

  #configuration(): string {
    const { home, log, udp, tcp, tls } = this;
    const [papers, tlsInput] = lackingRsyslogTls === false
      ? [
        `defaultNetstreamDriverCAFile="${home}/ca.pem"
  defaultNetstreamDriverCertFile="${home}/server.pem"
  defaultNetstreamDriverKeyFile="${home}/server.key"`,
        `input(type="imtcp" address="127.0.0.1" port="${tls}" RateLimit.Interval="0"
  StreamDriver.Name="ossl" StreamDriver.Mode="1" StreamDriver.AuthMode="x509/certvalid")`,
      ]
      : ["", ""];
    return `
global(workDirectory="${home}" maxMessageSize="64k" net.enableDNS="off" ${papers})
main_queue(queue.size="100000" queue.timeoutShutdown="10000")
module(load="imuxsock" SysSock.Use="off")
input(type="imuxsock" Socket="${log}" UseSysTimeStamp="off" RateLimit.Interval="0")
input(type="imuxsock" Socket="${log}5424" UseSysTimeStamp="off" RateLimit.Interval="0"
  UseSpecialParser="off" ParseHostname="on")
module(load="imudp")
input(type="imudp" address="127.0.0.1" port="${udp}" rcvbufSize="16m" RateLimit.Interval="0")
module(load="imtcp" maxFrameSize="65536")
input(type="imtcp" address="127.0.0.1" port="${tcp}" RateLimit.Interval="0")
${tlsInput}
template(name="fields" type="string" string="${TEMPLATE}")
if $syslogtag startswith "rsyslogd" then stop
action(type="omfile" file="${this.#out}" template="fields" asyncWriting="off")
`;
  }

  /** Starts it, and waits until all its sockets are there. */
  async start(): Promise<void> {
    const conf = join(this.home, "rsyslog.conf");
    const child = spawn(pathOf("rsyslogd")!, ["-n", "-i", join(this.home, "pid"), "-f", conf], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#child = child;
    const hear = (text: string): void => void (this.#errors += text);
    child.stdout.setEncoding("utf8").on("data", hear);
    child.stderr.setEncoding("utf8").on("data", hear);
    child.on("error", (error) => hear(String(error)));
    const hears = (table: string, port: number, state: string): boolean =>
      readFileSync(`/proc/net/${table}`, "utf8").includes(
        `0100007F:${port.toString(16).toUpperCase().padStart(4, "0")} 00000000:0000 ${state}`,
      );
    await until(
      () => `the sockets of rsyslogd: ${this.#errors}`,
      () =>
        existsSync(this.log) && hears("udp", this.udp, "07") && hears("tcp", this.tcp, "0A") &&
        (lackingRsyslogTls !== false || hears("tcp", this.tls, "0A")),
    );
  }

  /** Ends it, and waits until it has written what it had. */
  async stop(signal: NodeJS.Signals = "SIGTERM"): Promise<void> {
    const child = this.#child;
    if (child?.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, "exit");
    sendSignal(child.pid, signal);
    await within("the end of rsyslogd", gone);
    this.#child = undefined;
  }

  /** What it has stored, from the line after `skip` lines on. */
  stored(skip = 0): Stored[] {
    return this.lines().slice(skip).map((line) => {
      const [host, tag, pid, id, priority, data, ...text] = line.split("\t") as [
        string,
        string,
        string,
        string,
        string,
        string,
        string,
      ];
      return { host, tag, pid, id, priority, data, text: text.join("\t") };
    });
  }

  /** All lines so far. Only what is new is read: this is asked in every turn of the event loop. */
  lines(): readonly string[] {
    if (!existsSync(this.#out)) return [];
    const { size } = statSync(this.#out);
    if (size === this.#read) return this.#lines;
    const bytes = new Uint8Array(size - this.#read);
    const descriptor = openSync(this.#out, "r");
    const count = readSync(descriptor, bytes, 0, bytes.length, this.#read);
    closeSync(descriptor);
    const end = bytes.subarray(0, count).lastIndexOf(10) + 1;
    if (end === 0) return this.#lines;
    this.#read += end;
    const text = new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes.subarray(0, end - 1));
    for (const line of text.split("\n")) this.#lines.push(line);
    return this.#lines;
  }

  /** Waits until it has stored so many in all. */
  async has(count: number): Promise<void> {
    await until(
      () => `${count} records of rsyslogd, which has ${this.lines().length}: ${this.#errors}`,
      () => this.lines().length >= count,
      20_000,
    );
  }
}
