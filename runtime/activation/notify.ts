/** Telling systemd how it goes: sd_notify(3) and sd_watchdog_enabled(3). */
import { readFileSync } from "node:fs";
import process from "node:process";
import { clearInterval, setInterval } from "node:timers";
import type { Adapter, DatagramTable, DialedSocket } from "../core/contract.ts";
import { messageOf } from "../core/errors.ts";
import type { Environment } from "./passed.ts";

/**
 * Each call sends one message, after those before it. It resolves when the socket has the message, or
 * there is none, and never rejects; {@link Notifier.close} sees to it that all are out.
 */
export interface Notifier {
  /** Milliseconds between signs of life, which are sent from {@link ready} on; undefined: nobody waits for them. */
  readonly watchdog: number | undefined;
  /** The variables as they were, for a successor to be told. */
  readonly variables: Readonly<Record<string, string>>;
  /** The start, or a reload, is done. */
  ready(status?: string): Promise<void>;
  /** A reload begins; {@link ready} ends it. */
  reloading(): Promise<void>;
  /** The end begins. */
  stopping(): Promise<void>;
  /** One line for people. */
  status(text: string): Promise<void>;
  /** Another process is the service from now on. */
  mainPid(pid: number): Promise<void>;
  /** After what was said has gone out: ends the signs of life, too. */
  close(): Promise<void>;
}

/** Where there is no NOTIFY_SOCKET. */
const SILENT_NOTIFIER: Notifier = {
  watchdog: undefined,
  variables: {},
  ready: () => Promise.resolve(),
  reloading: () => Promise.resolve(),
  stopping: () => Promise.resolve(),
  status: () => Promise.resolve(),
  mainPid: () => Promise.resolve(),
  close: () => Promise.resolve(),
};

/**
 * Reads NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID, and takes them out of the environment:
 * children must not speak for us. Nothing is opened before there is something to say.
 *
 * @param failed is told once when systemd cannot be reached.
 */
export function makeNotifier(
  adapter: Pick<Adapter, "dial">,
  env: Environment = process.env,
  failed: (reason: string) => void = () => {},
): Notifier {
  const { NOTIFY_SOCKET: path, WATCHDOG_USEC: period, WATCHDOG_PID: pid } = env;
  for (const name of ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"]) delete env[name];
  if (path === undefined || path === "") return SILENT_NOTIFIER;
  // vsock: is for virtual machines, whose init is somebody else.
  if (!/^[/@]/.test(path)) {
    failed(`NOTIFY_SOCKET is ${JSON.stringify(path)}: neither a path nor an abstract name`);
    return SILENT_NOTIFIER;
  }
  const mine = pid === undefined || pid === String(process.pid);
  const usec = mine && /^[1-9]\d*$/.test(period ?? "") ? Number(period) : undefined;
  // Half of the time that systemd waits, as sd_watchdog_enabled(3) recommends.
  const watchdog = usec === undefined ? undefined : Math.max(1, Math.floor(usec / 2000));
  // The signs of life are expected of whoever is the main process.
  const variables = { NOTIFY_SOCKET: path, ...(mine && period && { WATCHDOG_USEC: period }) };
  const dial = (): Promise<DialedSocket> =>
    adapter.dial({ transport: "unixgram", path }, IGNORE_ANSWERS);
  return new SystemdNotifier(dial, watchdog, variables, failed);
}

/** systemd does not answer; what could not be sent shows in the next send. */
const IGNORE_ANSWERS: DatagramTable = { datagram() {}, failure() {} };

class SystemdNotifier implements Notifier {
  readonly watchdog: number | undefined;
  readonly #dial: () => Promise<DialedSocket>;
  readonly #failed: (reason: string) => void;
  #dialed: Promise<DialedSocket | undefined> | undefined = undefined;
  #last: Promise<void> = Promise.resolve();
  #timer: ReturnType<typeof setInterval> | undefined = undefined;
  #over = false;

  readonly variables: Readonly<Record<string, string>>;

  constructor(
    dial: () => Promise<DialedSocket>,
    watchdog: number | undefined,
    variables: Readonly<Record<string, string>>,
    failed: (reason: string) => void,
  ) {
    this.#dial = dial;
    this.watchdog = watchdog;
    this.variables = variables;
    this.#failed = failed;
  }

  ready(status?: string): Promise<void> {
    if (this.watchdog !== undefined && this.#timer === undefined && !this.#over) {
      // A timer runs while the event loop turns, which is all that a sign of life says.
      this.#timer = setInterval(() => void this.#say("WATCHDOG=1"), this.watchdog);
      this.#timer.unref();
    }
    return this.#say("READY=1", ...(status === undefined ? [] : [statusLine(status)]));
  }

  reloading(): Promise<void> {
    return this.#say("RELOADING=1", `MONOTONIC_USEC=${monotonic()}`);
  }

  stopping(): Promise<void> {
    return this.#say("STOPPING=1");
  }

  status(text: string): Promise<void> {
    return this.#say(statusLine(text));
  }

  mainPid(pid: number): Promise<void> {
    return this.#say(`MAINPID=${pid}`);
  }

  async close(): Promise<void> {
    this.#over = true;
    clearInterval(this.#timer);
    await this.#last;
    await (await this.#dialed)?.close();
  }

  #say(...lines: readonly string[]): Promise<void> {
    if (this.#over) return Promise.resolve();
    return this.#last = this.#last.then(async () => {
      this.#dialed ??= this.#dial().catch((error) => {
        this.#failed(`NOTIFY_SOCKET: ${messageOf(error)}`);
        return undefined;
      });
      const socket = await this.#dialed;
      socket?.send(new TextEncoder().encode(lines.join("\n")), socket.target);
    });
  }
}

function statusLine(text: string): string {
  return `STATUS=${text.replaceAll(/\s+/g, " ")}`;
}

/**
 * Microseconds of CLOCK_MONOTONIC, which is the machine's clock; the runtimes' own begins with the
 * process on some of them. Rounded up: systemd asks for a time that is not before its request.
 */
function monotonic(): bigint {
  try {
    const [seconds, hundredths] = readFileSync("/proc/uptime", "utf8").split(/[. ]/);
    return (BigInt(seconds!) * 100n + BigInt(hundredths!) + 1n) * 10_000n;
  } catch {
    // ProcSubset=pid of systemd.exec(5) hides it.
    return process.hrtime.bigint() / 1000n;
  }
}
