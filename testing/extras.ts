import type { Admission } from "../runtime/core/admission/admission.ts";
import { sheds } from "../runtime/core/admission/overflow.ts";
import type { Shedder } from "../runtime/core/admission/shedder.ts";
import type { Service } from "../runtime/core/service.ts";
import { giveBanners } from "../runtime/services/extras.ts";
import type { ServiceInstance } from "../runtime/services/instance.ts";

/** What few services have: banners, and sessions that end for newcomers, whichever instance has them. */
export async function giveExtras(
  service: Service,
  admission: Admission,
  instances: () => readonly ServiceInstance[],
): Promise<void> {
  await giveBanners(service);
  if (sheds(service.plan.limits.overflow)) admission.shedder = shedderOf(instances);
}

function shedderOf(instances: () => readonly ServiceInstance[]): Shedder {
  return {
    shed(among) {
      const named = among && new Set([...among].map((each) => (each as { id?: number }).id!));
      const found = instances().flatMap(({ shedder }) =>
        (shedder?.name(named === undefined ? 1 : 0, named ?? new Set()) ?? [])
          .map(([id, idle]) => ({ id, idle, shedder: shedder! }))
      ).sort((a, b) => b.idle - a.idle || a.id - b.id);
      found[0]?.shedder.end([found[0].id]);
      return found.length > 0;
    },
  };
}
