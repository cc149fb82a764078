/** HTTP over TLS, and of connections that come by descriptor: `Deno.serve` takes neither. */
import { bridgeOf } from "../http/bridge.ts";
import { streams, takeText } from "./made-of.ts";

export { socketOf } from "../node/requests.ts";

export const bridge = bridgeOf({ streams, whole: takeText });
