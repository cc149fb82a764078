/** The answer to a request that is turned away; `text` is the banner for it. */
export function refusalOf(status: number, text: Uint8Array<ArrayBuffer> | undefined): Response {
  const headers = {
    // A rule is the same in a second.
    ...(status !== 403 && { "retry-after": "1" }),
    ...(text !== undefined && { "content-type": "text/plain; charset=utf-8" }),
  };
  return new Response(text ?? null, { status, headers });
}
