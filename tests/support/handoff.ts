/** The pipeline of plugins that take the descriptor, without sockets. */
import assert from "node:assert/strict";
import { Address } from "../../runtime/core/endpoint.ts";
import { Gather } from "../../runtime/core/stream/gather.ts";
import type { Hooks } from "../../runtime/core/plugin.ts";
import type { LogRecord } from "../../runtime/core/record.ts";
import { Service } from "../../runtime/core/service.ts";
import { Admission } from "../../runtime/core/admission/admission.ts";
import { HandoffPipeline } from "../../runtime/core/handoff/pipeline.ts";
import { logTo } from "./in-process.ts";
import { expand } from "./manifest.ts";

/** The handoff pipeline of a service, with descriptors that are numbers and nothing else. */
export function handoffOf(hooks: Hooks<never>, service: object = {}) {
  const records: LogRecord[] = [];
  const { services } = expand({
    file: "/portico.json",
    value: { services: { tested: { plugin: "echo", listen: "tcp://127.0.0.1:0", ...service } } },
    locate: () => undefined,
  });
  let id = 0;
  const made = new Service({
    plan: services[0]!,
    hooks: hooks as Hooks<unknown>,
    log: logTo((record) => records.push(record)),
    gather: new Gather({ turns: "microtasks", defer: (callback) => void setTimeout(callback, 0) }),
    lends: "never",
    nextId: () => ++id,
  });
  const calls: string[] = [];
  const admission = new Admission(services[0]!, (callback) => void setTimeout(callback, 0));
  const taken = new HandoffPipeline(made, {
    adopt: () => assert.fail("no connection is made"),
    send: (fd, bytes) => calls.push(`send ${fd} ${new TextDecoder().decode(bytes)}`),
    reset: (fd) => void calls.push(`reset ${fd}`),
    blocking: (fd) => void calls.push(`blocking ${fd}`),
    traffic: () => undefined,
    spawn: () => assert.fail("no program is started"),
    close: (fd) => void calls.push(`close ${fd}`),
  }, admission);
  const local = new Address("tcp", "127.0.0.1", 7, "");
  const arrive = (fd: number, host = "192.0.2.1"): void =>
    taken.table.arrive(fd, { local, remote: new Address("tcp", host, 1000 + fd, "") });
  const of = (event: string): LogRecord[] => records.filter((record) => record.event === event);
  const drain = async (limit: number): Promise<void> => {
    admission.close();
    if (await admission.empty(limit)) return;
    admission.refuseWaiting();
    await taken.cut("drain");
  };
  return { service: made, admission, drain, calls, arrive, records, of };
}
