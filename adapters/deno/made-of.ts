/** What requests and responses are made of, where this Deno shows it: to ask them costs more than the answer. */
import { saysThatItStreams } from "../exchanges.ts";

/** Deno's own property of an object, by its description; undefined where this Deno has none. */
function symbolOf(object: object, name: string): symbol | undefined {
  return Object.getOwnPropertySymbols(object).find(({ description }) => description === name);
}

/** Where Deno has what a request is made of. */
const ASKED = symbolOf(new Request("http://localhost"), "request");

/** Whoever asks for the `headers` of a request has its answer take a slower way, and all of them copied. */
export function hostOf(request: Request): string | null {
  const asked = ASKED && (request as unknown as Record<symbol, AskedOf | undefined>)[ASKED];
  if (typeof asked?.header !== "function") return request.headers.get("host");
  return asked.header("host");
}

interface AskedOf {
  header?(name: string): string | null;
}

/**
 * Where Deno has what a response is made of. To ask for its `body` would make a stream of a string,
 * which costs more than the answer.
 */
const MADE_OF = symbolOf(new Response(null), "response");

/** The status of a response that is made of nothing but a string or bytes; else 0. */
const WHOLE = symbolOf(new Response(null), "serve fast status");

/** The string that the body of a response will be, while nobody has asked for any of it. */
const UNTOUCHED = symbolOf(new Response(null), "lazy static body");

/** Whether it was sent. */
const SENT = symbolOf(new Response(null), "serve fast consumed");

/** Whether a response is made of nothing but a string, and nobody has looked at its body. */
export function isUntouched(response: unknown): boolean {
  if (!WHOLE || !UNTOUCHED || !SENT) return false;
  if (typeof response !== "object" || response === null) return false;
  const made = response as Record<symbol, unknown>;
  return typeof made[UNTOUCHED] === "string" && (made[WHOLE] as number) > 0 && made[SENT] === false;
}

/** The text of such a response, which is sent by that. */
export function takeText(response: Response): string | undefined {
  if (!isUntouched(response)) return undefined;
  const made = response as unknown as Record<symbol, unknown>;
  made[SENT!] = true;
  return made[UNTOUCHED!] as string;
}

interface MadeOf {
  /** `source` is what a body was made of that is whole: a blob, a form. */
  readonly body: { readonly streamOrStatic: unknown; readonly source: unknown } | null;
}

/** What a response is made of, where this Deno shows it. */
function madeOf(response: Response): MadeOf | undefined {
  return MADE_OF && (response as unknown as Record<symbol, MadeOf | undefined>)[MADE_OF];
}

/** Whether all of a response is there. False for one that Deno does not show. */
export function isWhole(response: Response): boolean {
  const status = WHOLE && (response as unknown as Record<symbol, unknown>)[WHOLE];
  if (typeof status === "number" && status > 0) return true;
  const body = madeOf(response)?.body;
  return body !== undefined && !(body?.streamOrStatic instanceof ReadableStream);
}

export function streams(response: Response): boolean {
  const status = WHOLE && (response as unknown as Record<symbol, unknown>)[WHOLE];
  if (typeof status === "number" && status > 0) return false;
  const made = madeOf(response);
  if (made === undefined) return saysThatItStreams(response) && response.body !== null;
  const { body } = made;
  return body !== null && body.source === null && body.streamOrStatic instanceof ReadableStream;
}
