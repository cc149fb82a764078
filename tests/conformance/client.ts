/** The side that connects, for cases of {@link Adapter.connect}. */
import assert from "node:assert/strict";
import type { Connection, NamedEndpoint } from "../../runtime/core/contract.ts";
import { Address } from "../../runtime/core/endpoint.ts";
import { within } from "../support/until.ts";
import type { Behaviour } from "./recorder.ts";
import { Recorder } from "./recorder.ts";
import type { Stage } from "./stage.ts";

/** What it is told. */
export class Client extends Recorder {
  readonly given: unknown[] = [];

  constructor(behaviour: Behaviour) {
    super(behaviour);
    const nowhere = new Address("tcp", "", 0, "");
    this.listener = {
      address: nowhere,
      duplicate: () => Promise.resolve(-1),
      close: () => Promise.resolve(),
    };
  }

  override open(connection: Connection): void {
    this.given.push(connection.data);
    super.open(connection);
  }
}

/** Where an address can be connected to. */
export function named({ transport, host, port, path }: Address): NamedEndpoint {
  return host === ""
    ? { transport: transport as "unix", path }
    : { transport: transport as "tcp", host, port };
}

/** Connects, and ends what is left when `use` is over. */
export async function withClient(
  stage: Stage,
  to: NamedEndpoint,
  behaviour: Behaviour,
  use: (client: Client) => Promise<void>,
): Promise<void> {
  const client = new Client(behaviour);
  await within("connect", stage.adapter.connect(to, client, "given", 5000));
  assert.equal(client.connections.length, 1, "open comes before connect resolves");
  assert.deepEqual(client.given, ["given"]);
  try {
    await use(client);
  } finally {
    await client.stop(() => stage.settle());
  }
}
