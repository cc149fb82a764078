/**
 * What tests of plugins import as `portico/testing`: a service in memory, without ports, and peers that
 * the test plays. It needs no test framework, and works with any: what fails throws an AssertionError.
 *
 * ```ts
 * await using service = await open(echo, { options: { upper: true } });
 * const peer = service.connect();
 * peer.send("hello\n");
 * await peer.expect("HELLO\n");
 * ```
 */
import type { Plugin } from "../runtime/core/plugin.ts";
import type { TestedService } from "./contract.ts";
import { MemoryService } from "./service.ts";
import type { Settings } from "./settings.ts";

/**
 * Starts a service of a plugin in memory, as a manifest would have it.
 *
 * @throws PorticoError for what a server would refuse: options, limits, a plugin that does not start.
 */
export function open<Options, State>(
  plugin: Plugin<Options, State>,
  settings: Settings = {},
): Promise<TestedService> {
  return MemoryService.open(plugin, settings);
}

export { everyWay } from "./every-way.ts";
export type { Conversation, EveryWaySettings, Step } from "./every-way.ts";
export type { Settings, TestedTransport } from "./settings.ts";
export type { TestClock } from "./clock.ts";
export type { Closed, ConnectSettings, Peer, RequestSettings, TestedService } from "./contract.ts";
export type { Data } from "./bytes.ts";
export type { LogRecord } from "../runtime/core/record.ts";
