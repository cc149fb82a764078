import { given } from "../arguments.ts";

/** The status that a limit is answered with; 503 where it is not here. */
export const STATUS: Readonly<Record<string, number>> = {
  perSource: 429,
  rate: 429,
  ratePerSource: 429,
  bytes: 413,
};

/** The status of a response, which is asked for once. @throws TypeError for what no runtime can send. */
export function checkResponse(response: unknown): number {
  if (!(response instanceof Response)) {
    throw new TypeError(`fetch has to return a Response: received ${given(response)}`);
  }
  const { status } = response;
  if (status === 0 || response.bodyUsed) {
    const what = status === 0
      ? "Response.error()"
      : "one whose body was read already: make one for each request";
    throw new TypeError(`fetch has to return a Response that can be sent: received ${what}`);
  }
  return status;
}

/** An answer that nobody is there to read, or that comes in the place of a plugin's. */
export function nobody(): Response {
  return new Response(null, { status: 503 });
}
