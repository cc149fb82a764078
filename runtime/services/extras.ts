/** What few services have, and nobody else loads. */
import { sheds } from "../core/admission/overflow.ts";
import type { Service } from "../core/service.ts";
import type { StreamShedder } from "../core/stream/shedding.ts";
import type { ServiceInstance } from "./instance.ts";

/** Has the service say what its plan says beside the plugin, to those who come from outside. */
export async function giveBanners(service: Service): Promise<void> {
  if (service.plan.banner === undefined) return;
  const { Banners } = await import("../core/banners.ts");
  service.banners = new Banners(service);
}

/** Ends the streams of an instance for newcomers; undefined where its plan has nobody end, or a plugin has the sockets. */
export async function shedderOf(
  { service, streams, handoffs }: Pick<ServiceInstance, "service" | "streams" | "handoffs">,
): Promise<StreamShedder | undefined> {
  if (!sheds(service.plan.limits.overflow) || handoffs !== undefined) return undefined;
  const { StreamShedder } = await import("../core/stream/shedding.ts");
  return new StreamShedder(streams);
}
