/**
 * What goes over a control socket: one request a line, `{"command":"drain","service":"echo"}`, and
 * for each, in order, one answer a line: `{"ok":true,"result":…}` or
 * `{"ok":false,"code":"…","message":"…"}`. JSON in UTF-8; the result is that of the verb of `Control`.
 *
 * Before the answer to `logs` come lines `{"record":…}`. With `follow` that is when the server ends, or when
 * something more is asked; its result is how many there were.
 */
import type { RuntimeName } from "../adapter.ts";
import { PorticoError, toPorticoError } from "../core/errors.ts";
import { didYouMean } from "../values/nearest.ts";
import { show } from "../values/problem.ts";
import { type Level, LEVELS } from "../core/record.ts";
import type { Control } from "./control.ts";
import {
  isPolicyVerb,
  performPolicy,
  POLICY_KEYS,
  POLICY_VERBS,
  type PolicyVerb,
  type PolicyWords,
  policyWords,
} from "./policy-request.ts";
import { RecordStream } from "./record-stream.ts";

/** The verbs of `Control`, and of its `policy`. */
export const VERBS = [
  "status",
  "reload",
  "suspend",
  "resume",
  "drain",
  "stop",
  "restart",
  "upgrade",
  "logs",
  ...POLICY_VERBS,
] as const satisfies readonly (keyof Control | PolicyVerb)[];

/** One of {@link VERBS}. */
export type Verb = typeof VERBS[number];

/** Those that can be asked of one service. */
export const OF_SERVICE: readonly Verb[] = [
  "status",
  "suspend",
  "resume",
  "drain",
  "stop",
  "restart",
  "logs",
  "explain",
];

/** Those that a successor can be started on. */
export const RUNTIMES: readonly RuntimeName[] = ["node", "bun", "deno"];

/** One thing asked of a server. */
export interface ControlRequest extends PolicyWords {
  readonly command: Verb;
  readonly service?: string | undefined;
  /** Of `upgrade`. */
  readonly to?: RuntimeName | undefined;
  /** Of `logs`: `info`, none of the last ones, and no more, when silent. */
  readonly level?: Level | undefined;
  readonly lines?: number | undefined;
  readonly follow?: boolean | undefined;
}

/** Who has asked. */
export interface Asker {
  /** Sends him text; resolves when there is room for more. @throws when he has gone. */
  send(text: string): Promise<void>;
  /** Resolves when he wants something else, or has gone, or the server ends. */
  over(): Promise<unknown>;
}

/** What the server says to it. */
export type ControlResponse =
  | { readonly ok: true; readonly result: unknown }
  | { readonly ok: false; readonly code: string; readonly message: string };

/** The longest line that a server takes, in bytes. */
export const LINE_MAX: number = 4096;

/** Does what a line asks. Never rejects: what goes wrong is the answer. */
export async function respond(
  control: Control,
  line: string,
  asker: Asker,
): Promise<ControlResponse> {
  try {
    return { ok: true, result: await perform(control, parseRequest(line), asker) };
  } catch (error) {
    return refusal(error);
  }
}

/** The answer for what was thrown. */
export function refusal(thrown: unknown): ControlResponse {
  const { code, message } = toPorticoError(thrown, "CONTROL_FAILED");
  return { ok: false, code, message };
}

/** @throws PorticoError USAGE. */
function parseRequest(line: string): ControlRequest {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    throw usage(`a request is one line of JSON: received ${show(line)}`);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw usage(`a request is an object, as {"command":"status"}: received ${show(value)}`);
  }
  const { command, service, to, level, lines, follow, ...more } = value as Partial<
    Record<string, unknown>
  >;
  if (!isOne(command, VERBS)) {
    throw usage(`command is one of ${VERBS.join(", ")}: received ${show(command)}`);
  }
  const policy = policyWords(command, more);
  const [other] = Object.keys(more).filter((key) => !POLICY_KEYS.includes(key));
  if (other !== undefined) throw usage(`a request has no key ${show(other)}`);
  if (service !== undefined && typeof service !== "string") {
    throw usage(`service is a name: received ${show(service)}`);
  }
  if (service !== undefined && !OF_SERVICE.includes(command)) {
    throw usage(`${command} concerns the whole server: received the service ${show(service)}`);
  }
  if (to !== undefined && (command !== "upgrade" || !isOne(to, RUNTIMES))) {
    throw usage(`to is one of ${RUNTIMES.join(", ")}, for upgrade: received ${show(to)}`);
  }
  if (command === "restart" && service === undefined) {
    throw usage(
      "restart concerns one service, which is not named: upgrade is for the whole server",
    );
  }
  if (level !== undefined && (command !== "logs" || !isOne(level, LEVELS))) {
    throw usage(`level is one of ${LEVELS.join(", ")}, for logs: received ${show(level)}`);
  }
  const count = typeof lines === "number" && Number.isSafeInteger(lines) && lines >= 0;
  if (lines !== undefined && (command !== "logs" || !count)) {
    throw usage(`lines is a whole number, for logs: received ${show(lines)}`);
  }
  if (follow !== undefined && (command !== "logs" || typeof follow !== "boolean")) {
    throw usage(`follow is true or false, for logs: received ${show(follow)}`);
  }
  return {
    ...policy,
    command,
    service,
    to,
    level: level as Level | undefined,
    lines: lines as number | undefined,
    follow: follow as boolean | undefined,
  };
}

/** Which services there are, the server's status says: no verb has to check it again. */
async function perform(
  control: Control,
  request: ControlRequest,
  asker: Asker,
): Promise<unknown> {
  const { command, service, to } = request;
  if (command === "reload") return await control.reload();
  if (command === "upgrade") return await control.upgrade(to);
  const status = control.status();
  if (service !== undefined) checkService(service, status.services.map(({ service }) => service));
  if (isPolicyVerb(command)) return await performPolicy(control.policy, command, request);
  if (command === "logs") return await streamRecords(control, request, asker);
  if (command === "restart") return await control.restart(service!);
  if (command !== "status") return await control[command](service);
  if (service === undefined) return status;
  return { ...status, services: status.services.filter((one) => one.service === service) };
}

/** @returns how many there were. */
async function streamRecords(
  control: Control,
  { service, level = "info", lines = 0, follow = false }: ControlRequest,
  asker: Asker,
): Promise<number> {
  let count = 0;
  const stream = new RecordStream((text) => asker.send(text));
  const end = control.logs({ service, level, lines }, (json) => {
    count++;
    stream.take(json);
  });
  try {
    if (follow) await asker.over();
  } finally {
    end();
  }
  await stream.flush();
  return count;
}

function checkService(service: string, known: readonly string[]): void {
  if (known.includes(service)) return;
  const hint = didYouMean(service, known);
  throw new PorticoError(
    "USAGE",
    `there is no service ${show(service)}: ${known.length === 0 ? "none runs" : known.join(", ")}${
      hint === undefined ? "" : `; ${hint}`
    }`,
  );
}

function isOne<Name extends string>(value: unknown, names: readonly Name[]): value is Name {
  return (names as readonly unknown[]).includes(value);
}

function usage(message: string): PorticoError {
  return new PorticoError("USAGE", message);
}
