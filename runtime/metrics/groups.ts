/** What the kernel tells of the processes of services whose resources it keeps. */
import type { GroupUsage } from "../services/groups.ts";
import type { Family } from "./metrics.ts";

/** One sample for each service that has a group, and for which there is a value. */
function each(value: (group: GroupUsage) => number | undefined): Family["samples"] {
  return ({ services }) =>
    services.flatMap(({ service, group }) => {
      const found = group && value(group);
      return found === undefined ? [] : [{ value: found, labels: { service } }];
    });
}

export const GROUP_FAMILIES: readonly Family[] = [
  {
    name: "portico_service_cpu_seconds_total",
    help: "CPU time of the processes of a service that has a control group.",
    type: "counter",
    samples: each(({ cpu }) => cpu),
  },
  {
    name: "portico_service_cpu_throttled_seconds_total",
    help: "Time in which they had something to do, and had used up resources.total.cpu.",
    type: "counter",
    samples: each(({ throttled }) => throttled),
  },
  {
    name: "portico_service_memory_bytes",
    help: "Memory that they have, as the kernel counts it.",
    type: "gauge",
    samples: each(({ memory }) => memory),
  },
  {
    name: "portico_service_processes",
    help: "Processes and threads that they are.",
    type: "gauge",
    samples: each(({ processes }) => processes),
  },
  {
    name: "portico_service_limited_total",
    help:
      "Processes that the kernel has killed for want of memory, and those that could not be started.",
    type: "counter",
    samples: ({ services }) =>
      services.flatMap(({ service, group }) =>
        group === undefined ? [] : [
          { value: group.killed, labels: { service, limit: "memory" } },
          { value: group.denied, labels: { service, limit: "processes" } },
        ]
      ),
  },
];
