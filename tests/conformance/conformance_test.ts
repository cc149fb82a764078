import { describe, test } from "node:test";
import { harnesses } from "./adapters.ts";
import { casesOf, play, supportOf, TRANSPORTS } from "./suite.ts";

for (const [name, make] of await harnesses()) {
  for (const transport of TRANSPORTS) {
    describe(`${name} adapter, ${transport}`, () => {
      for (const each of casesOf(transport)) {
        const support = supportOf(make(), transport, each);
        test(each.name, { skip: support === true ? false : support.reason }, async () => {
          await play(each, make(), transport);
        });
      }
    });
  }
}
