/** Says by which way a request has come. */
export default {
  fetch: (request: Request): Response =>
    new Response(`hello over ${new URL(request.url).protocol.slice(0, -1)}\n`),
};
