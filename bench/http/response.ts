/** The least that answers a request. */
export default { fetch: (): Response => new Response("Hello Hono!") };
