/**
 * Responses that are whole, in the place of Node's own: that one makes a stream of every string, and who
 * sends it has to read it again, which takes longer than all the rest of a request. While somebody asks
 * for it, the global `Response` makes one of these of a string, of bytes and of nothing, and Node's of
 * anything else.
 *
 * Nobody has to know: each is an instance of either class, `Response.prototype` is Node's, and whatever
 * is asked of one beside its status and headers is answered by Node's own, made of the same by then.
 */
type Fields = Record<string, string | string[]>;

/** What is to be sent: headers by lower-case name, in their order; the receiver's own. */
export type Whole = readonly [status: number, body: string | Uint8Array | null, fields: Fields];

/** `fields` is undefined where a program says nothing. */
interface Init {
  readonly status: number;
  readonly statusText: string;
  readonly fields: Fields | undefined;
}

/** Of a response without an init. */
const PLAIN: Init = { status: 200, statusText: "", fields: undefined };

/** What is sent where neither a program nor the body says it. */
const TYPE = "text/plain; charset=UTF-8";

const Native = globalThis.Response;
/** Somebody else may have put another one there: that is left alone. */
const isNative = Object.getPrototypeOf(Native) === Function.prototype;

/** Those that are numbers have an order of their own in an object. */
const NAME = /^[!#$%&'*+\-.^`|~a-z][!#$%&'*+\-.^`|~\w]*$/i;
/** All that every runtime sends as it is. */
const VALUE = /^(?:[!-~\x80-\xff](?:[\t -~\x80-\xff]*[!-~\x80-\xff])?)?$/;
const STATUS_TEXT = /^[\t -~\x80-\xff]*$/;

/** Of plain objects and of `Headers`, as these have them now; undefined where Node has to look itself. */
function fieldsOf(headers: unknown): Fields | undefined {
  if (headers instanceof Headers) return fieldsOfHeaders(headers);
  if (typeof headers !== "object" || headers === null) return undefined;
  if (Object.getPrototypeOf(headers) !== Object.prototype) return undefined;
  if (Object.getOwnPropertySymbols(headers).length > 0) return undefined;
  const fields: Fields = {};
  for (const name of Object.keys(headers)) {
    const value = (headers as Record<string, unknown>)[name];
    const lower = name.toLowerCase();
    if (typeof value !== "string" || !NAME.test(name) || !VALUE.test(value)) return undefined;
    if (lower in fields) return undefined;
    fields[lower] = lower === "set-cookie" ? [value] : value;
  }
  return fields;
}

/** In the order of the names, as `Headers` gives them. */
function sorted(fields: Fields): Fields {
  let last = "";
  for (const name in fields) {
    if (name < last) {
      return Object.fromEntries(Object.entries(fields).sort(([a], [b]) => a < b ? -1 : 1));
    }
    last = name;
  }
  return fields;
}

function fieldsOfHeaders(headers: Headers): Fields {
  const fields: Fields = {};
  const cookies: string[] = [];
  for (const [name, value] of headers) {
    if (name !== "set-cookie") fields[name] = value;
    else {
      cookies.push(value);
      fields[name] = cookies;
    }
  }
  return fields;
}

/** @param type of the body, where nothing is said. */
function initOf(init: ResponseInit | undefined, type: string | undefined): Init | undefined {
  if (init === undefined) return PLAIN;
  if (typeof init !== "object" || init === null) return undefined;
  const { headers, status = 200, statusText = "" } = init;
  if (!Number.isInteger(status) || status < 200 || status > 599) return undefined;
  if (typeof statusText !== "string" || !STATUS_TEXT.test(statusText)) return undefined;
  if (headers === undefined) return { status, statusText, fields: undefined };
  const fields = fieldsOf(headers);
  if (fields === undefined) return undefined;
  if (type !== undefined) fields["content-type"] ??= type;
  return { status, statusText, fields: sorted(fields) };
}

/** Undefined for what has to be Node's: what streams, what is odd, what is wrong. */
function make(body: unknown, init: ResponseInit | undefined, type?: string): Response | undefined {
  let own: string | Uint8Array | null;
  if (typeof body === "string") {
    own = body;
    type ??= "text/plain;charset=UTF-8";
  } else if (body === undefined || body === null) own = null;
  else if (body instanceof Uint8Array && body.buffer instanceof ArrayBuffer) {
    own = new Uint8Array(body);
  } else return undefined;
  const made = initOf(init, type);
  if (made === undefined) return undefined;
  const { status } = made;
  if (own !== null && (status === 204 || status === 205 || status === 304)) return undefined;
  return new WholeResponse(own, made, type) as unknown as Response;
}

class WholeResponse {
  readonly #body: string | Uint8Array | null;
  readonly #status: number;
  readonly #statusText: string;
  /** Those that a program has given, with the type of the body. */
  readonly #fields: Fields | undefined;
  /** Of the body, which is the only field where a program has given none. */
  readonly #type: string | undefined;
  /** Made of the fields when somebody asks; it alone counts then. */
  #headers: Headers | undefined = undefined;
  /** Node's of the same, when it was asked for anything else. */
  #native: Response | undefined = undefined;
  #sent = false;

  constructor(body: string | Uint8Array | null, init: Init, type: string | undefined) {
    this.#body = body;
    this.#status = init.status;
    this.#statusText = init.statusText;
    this.#fields = init.fields;
    this.#type = type;
  }

  get status(): number {
    return this.#status;
  }

  get ok(): boolean {
    return this.#status < 300;
  }

  get statusText(): string {
    return this.#statusText;
  }

  get headers(): Headers {
    if (this.#headers !== undefined) return this.#headers;
    const headers = this.#headers = new Headers();
    for (const [name, value] of Object.entries(this.#given)) {
      for (const each of typeof value === "string" ? [value] : value) headers.append(name, each);
    }
    return headers;
  }

  get #given(): Fields {
    return this.#fields ?? (this.#type === undefined ? {} : { "content-type": this.#type });
  }

  get bodyUsed(): boolean {
    return this.#native === undefined ? this.#sent && this.#body !== null : this.#native.bodyUsed;
  }

  /** Node's of the same, with the headers as they are now. */
  static native(of: WholeResponse): Response {
    const { headers } = of;
    if (of.#native === undefined) {
      const init = { status: of.#status, statusText: of.#statusText, headers };
      of.#native = new Native(of.#body as BodyInit | null, init);
      if (of.#sent) void of.#native.body?.cancel();
    }
    const own = of.#native.headers;
    for (const name of [...own.keys()]) own.delete(name);
    for (const [name, value] of headers) own.append(name, value);
    return of.#native;
  }

  static isWhole(response: unknown): response is WholeResponse {
    return typeof response === "object" && response !== null && #body in response &&
      response.#native === undefined && !response.#sent &&
      response.#headers?.has("transfer-encoding") !== true &&
      response.#fields?.["transfer-encoding"] === undefined;
  }

  static send(response: WholeResponse): Whole {
    response.#sent = true;
    const status = response.#status;
    const body = response.#body;
    if (response.#fields === undefined && response.#headers === undefined && body !== null) {
      const fields = {
        "content-type": response.#type ?? TYPE,
        "content-length": String(Buffer.byteLength(body)),
      };
      return [status, body, fields];
    }
    const fields = response.#headers === undefined
      ? { ...response.#given }
      : fieldsOfHeaders(response.#headers);
    if (body !== null) {
      fields["content-type"] ??= TYPE;
      fields["content-length"] ??= String(Buffer.byteLength(body));
    }
    return [status, body, fields];
  }
}

/** Has whatever Node's response can do besides done by Node's. */
function complete(): void {
  const own = WholeResponse.prototype as object;
  delete (own as { constructor?: unknown }).constructor;
  for (const key of Reflect.ownKeys(own)) Object.defineProperty(own, key, { enumerable: true });
  for (const key of Reflect.ownKeys(Native.prototype)) {
    const native = Object.getOwnPropertyDescriptor(Native.prototype, key)!;
    if (key === "constructor" || Object.hasOwn(own, key)) continue;
    const { get, value } = native;
    if (get !== undefined) {
      const ask = function (this: WholeResponse): unknown {
        return Reflect.apply(get, WholeResponse.native(this), []);
      };
      Object.defineProperty(own, key, { ...native, get: ask });
    } else if (typeof value === "function") {
      const call = function (this: WholeResponse, ...words: unknown[]): unknown {
        return Reflect.apply(value, WholeResponse.native(this), words);
      };
      Object.defineProperty(call, "name", { value: value.name });
      Object.defineProperty(own, key, { ...native, value: call });
    }
  }
  Object.setPrototypeOf(own, Native.prototype);
}

/** What stands in the place of Node's `Response`; whoever extends it extends Node's. */
function standIn(): typeof Response {
  const made = function (body?: BodyInit | null, init?: ResponseInit): Response {
    const target = new.target as unknown;
    if (target === undefined) return Reflect.apply(Native, undefined, [body, init]);
    if (target !== made) return Reflect.construct(Native, [body, init], target as typeof Native);
    return make(body, init) ?? new Native(body, init);
  };
  const json = (data: unknown, init?: ResponseInit): Response => {
    const text = init === undefined ? JSON.stringify(data) : undefined;
    return text === undefined
      ? Native.json(data, init)
      : make(text, undefined, "application/json")!;
  };
  Object.defineProperty(json, "length", { value: Native.json.length });
  const statics = Object.getOwnPropertyDescriptors(Native);
  Object.defineProperties(made, {
    ...statics,
    json: { ...Object.getOwnPropertyDescriptor(Native, "json"), value: json },
  });
  return made as unknown as typeof Response;
}

let users = 0;
let own: typeof Response | undefined;

function swap(from: typeof Response, to: typeof Response): void {
  if (globalThis.Response !== from) return;
  const rest = { writable: true, enumerable: false, configurable: true };
  Object.defineProperty(globalThis, "Response", { ...rest, value: to });
  Object.defineProperty(Native.prototype, "constructor", { ...rest, value: to });
}

/** Has `Response` make them. @returns ends that, once nobody asks for it any more. */
export function useWholeResponses(): () => void {
  if (!isNative) return () => {};
  if (own === undefined) {
    complete();
    own = standIn();
  }
  if (users++ === 0) swap(Native, own);
  let ended = false;
  return () => {
    if (!ended && --users === 0) swap(own!, Native);
    ended = true;
  };
}

/** Whether a response is one, and can still be sent as it is. */
export function isWhole(response: Response): boolean {
  return WholeResponse.isWhole(response);
}

/** What is to be sent of one that {@link isWhole}: once, it is used then. */
export function takeWhole(response: Response): Whole {
  return WholeResponse.send(response as unknown as WholeResponse);
}
