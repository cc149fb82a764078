/**
 * Requests of `@hono/node-server` are made of what came when somebody asks, and are none of Node's own
 * until then: Node's `Request` and `fetch`, given one, look for what it has not. While somebody asks for
 * it, the global ones take Node's own of the same in its place.
 */
const Native = globalThis.Request;
const nativeFetch = globalThis.fetch;
/** Somebody else may have put others there: those are left alone. */
const isNative = Object.getPrototypeOf(Native) === Function.prototype;

/** Under which such a request has Node's own. */
let own: symbol | undefined = undefined;

type Light = Request & Record<symbol, (() => Request) | undefined>;

/** Looks at one that is certainly such a request, once. */
export function learn(request: Request): void {
  if (own !== undefined) return;
  const symbols = Object.getOwnPropertySymbols(Object.getPrototypeOf(request) as object);
  own = symbols.find(({ description }) => description === "getRequestCache");
}

/** Node's own of a light one; anything else as it is. */
function whole<Input>(input: Input, init: RequestInit | undefined): Input | Request {
  if (own === undefined || typeof input !== "object" || input === null) return input;
  const light = input as unknown as Light;
  if (typeof light[own] !== "function") return input;
  // Its body has been read from what came, past Node's own.
  if (light.bodyUsed && (init?.body ?? null) === null) {
    throw new TypeError(
      "Cannot construct a Request with a Request object that has already been used.",
    );
  }
  return light[own]!();
}

function standIn(): typeof Request {
  const made = function (input: RequestInfo | URL, init?: RequestInit): Request {
    const target = new.target as unknown;
    if (target === undefined) return Reflect.apply(Native, undefined, [input, init]);
    const words = [whole(input, init), init];
    return target === made
      ? new Native(...words as ConstructorParameters<typeof Request>)
      : Reflect.construct(Native, words, target as typeof Native);
  };
  Object.defineProperties(made, Object.getOwnPropertyDescriptors(Native));
  return made as unknown as typeof Request;
}

const fetchWhole = ((input: RequestInfo | URL, init?: RequestInit): Promise<Response> => {
  try {
    return nativeFetch(whole(input, init), whole(init, undefined) as RequestInit | undefined);
  } catch (error) {
    return Promise.reject(error);
  }
}) as typeof fetch;
Object.defineProperty(fetchWhole, "name", { value: nativeFetch.name });

let users = 0;
let taking: typeof Request | undefined;

function swap(key: "Request" | "fetch", from: unknown, to: unknown): void {
  if (globalThis[key] !== from) return;
  const rest = { writable: true, enumerable: key === "fetch", configurable: true };
  Object.defineProperty(globalThis, key, { ...rest, value: to });
}

function swapAll(on: boolean): void {
  const [from, to] = on ? [Native, taking] : [taking, Native];
  swap("Request", from, to);
  if (globalThis.Request === to) {
    const rest = { writable: true, enumerable: false, configurable: true };
    Object.defineProperty(Native.prototype, "constructor", { ...rest, value: to });
  }
  if (on) swap("fetch", nativeFetch, fetchWhole);
  else swap("fetch", fetchWhole, nativeFetch);
}

/** Has the global `Request` and `fetch` take them. @returns ends that, once nobody asks for it any more. */
export function takeLightRequests(): () => void {
  if (!isNative) return () => {};
  taking ??= standIn();
  if (users++ === 0) swapAll(true);
  let ended = false;
  return () => {
    if (!ended && --users === 0) swapAll(false);
    ended = true;
  };
}
