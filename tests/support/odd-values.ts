/** What a plugin may throw, or log: anything. */
export const boom = (): never => {
  throw new Error("even that throws");
};

/** By what they are; made anew for each use. */
export const ODD: Readonly<Record<string, () => unknown>> = {
  "an error": () => new Error("plain"),
  "a very long message": () => new Error("x".repeat(10_000_000)),
  "a proxy without a prototype": () => new Proxy({}, { getPrototypeOf: boom }),
  "a proxy of which nothing can be asked": () =>
    new Proxy({}, { get: boom, getPrototypeOf: boom, has: boom, ownKeys: boom }),
  "an error whose message throws": () =>
    Object.defineProperty(new Error(), "message", { get: boom }),
  "an error whose stack throws": () =>
    Object.defineProperty(new Error("stackless"), "stack", { get: boom }),
  "an error whose code throws": () => Object.defineProperty(new Error("c"), "code", { get: boom }),
  "an error whose message is no text": () =>
    Object.defineProperty(new Error(), "message", { value: { toString: boom } }),
  "an object whose toString throws": () => ({ toString: boom }),
  "an object without prototype": () => Object.create(null),
  "a revoked proxy": () => {
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    return proxy;
  },
  "a symbol": () => Symbol("thrown"),
  "a bigint": () => 10n,
  "undefined": () => undefined,
  "null": () => null,
  "a function": () => boom,
};
