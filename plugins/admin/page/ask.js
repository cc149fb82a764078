// Asking the server: with the token, which is asked for once and kept as long as this tab is open.
import { $ } from "./format.js";

/** Milliseconds after which a server that says nothing counts as one that does not answer. */
const PATIENCE = 4000;

let asking;
const token = () => sessionStorage.getItem("portico-token");

function askToken() {
  asking ??= new Promise((resolve) => {
    const dialog = $("ask");
    $("token").value = "";
    dialog.showModal();
    dialog.addEventListener("close", () => {
      sessionStorage.setItem("portico-token", $("token").value);
      asking = undefined;
      resolve();
    }, { once: true });
  });
  return asking;
}

/** @param patience for the head of the answer, in ms; none where an answer may take its time. */
export async function ask(path, options = {}, patience = PATIENCE) {
  for (;;) {
    const given = token();
    const headers = { ...options.headers, ...(given && { authorization: `Bearer ${given}` }) };
    const late = new AbortController();
    const timer = patience === undefined ? undefined : setTimeout(() => late.abort(), patience);
    try {
      const answer = await fetch(path, {
        ...options,
        headers,
        cache: "no-store",
        signal: late.signal,
      });
      if (answer.status !== 401) return answer;
    } finally {
      clearTimeout(timer);
    }
    if (token() === given) await askToken();
  }
}

/** An answer that has to be JSON, and a good one. */
export async function askJson(path) {
  const answer = await ask(path);
  if (!answer.ok) throw new Error(`${path} is answered with ${answer.status}`);
  return { json: await answer.json(), headers: answer.headers };
}
