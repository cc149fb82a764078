import { within } from "./until.ts";

/** What a plugin in JavaScript may give in the place of what is due; by name, so that a call can say which it takes. */
export const WRONG: Readonly<Record<string, unknown>> = {
  "NaN": NaN,
  "-1": -1,
  "0": 0,
  "1.5": 1.5,
  "5": 5,
  "2**53": 2 ** 53,
  "Infinity": Infinity,
  "undefined": undefined,
  "null": null,
  "text": "5",
  "an object": {},
  "a list": [1],
  "a symbol": Symbol("s"),
  "a bigint": 1n,
  "true": true,
  "a function": () => {},
};

/** What a call throws, or its promise is rejected with. */
export async function failureOf(call: () => unknown): Promise<Error> {
  try {
    const answer = call();
    if (answer instanceof Promise) await within("an answer", answer);
  } catch (error) {
    return error as Error;
  }
  return new Error("nothing was thrown");
}
