/** Loads that are begun, asked and stopped by lines of JSON on stdin; each is answered by a line on stdout. */
import process from "node:process";
import { createInterface } from "node:readline";
import type { LongWish, ShortWish } from "./load.ts";
import { Long } from "./long.ts";
import { Short } from "./short.ts";

/** What may be asked. `name` is the caller's, for a load of its own. */
export type Order =
  | { readonly op: "short"; readonly name: string; readonly load: ShortWish }
  | { readonly op: "long"; readonly name: string; readonly load: LongWish }
  /** Answered when so many connections of a short load are completed, or it is over. */
  | { readonly op: "reached"; readonly name: string; readonly count: number }
  /** Answered when a short load is over. */
  | { readonly op: "done"; readonly name: string }
  | { readonly op: "report"; readonly name: string }
  | { readonly op: "stop"; readonly name: string };

/** Answers carry the number of their order, and come in any sequence. */
export type Asked = Order & { readonly id: number };
export type Answered =
  | { readonly id: number; readonly value: unknown }
  | { readonly id: number; readonly error: string };

const loads = new Map<string, Short | Long>();

function load(name: string): Short | Long {
  const found = loads.get(name);
  if (found === undefined) throw new Error(`there is no load ${name}`);
  return found;
}

function short(name: string): Short {
  const found = load(name);
  if (found instanceof Short) return found;
  throw new Error(`the connections of ${name} stay: it has no end and no count`);
}

async function obey(order: Order): Promise<unknown> {
  const { name } = order;
  switch (order.op) {
    case "short":
      loads.set(name, new Short(order.load));
      return null;
    case "long": {
      const made = new Long(order.load);
      loads.set(name, made);
      await made.settled();
      return made.report();
    }
    case "reached":
      await short(name).reached(order.count);
      return load(name).report();
    case "done":
      await short(name).done;
      return load(name).report();
    case "report":
      return load(name).report();
    case "stop":
      return await load(name).stop();
  }
}

async function answer(line: string): Promise<void> {
  const { id, ...order } = JSON.parse(line) as Asked;
  const made: Answered = await obey(order as Order).then(
    (value) => ({ id, value }),
    (error: unknown) => ({ id, error: String(error) }),
  );
  process.stdout.write(`${JSON.stringify(made)}\n`);
}

/** Obeys until stdin ends; whoever started it is gone then. */
export async function steer(): Promise<void> {
  for await (const line of createInterface({ input: process.stdin })) void answer(line);
}
