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
