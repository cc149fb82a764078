// What has gone wrong stays until it is dismissed, the next thing is told, or it works again.
import { $, make } from "./format.js";

/** Milliseconds that good news are shown. */
const OUTCOME = 10_000;
let timer;

function show(id, text) {
  const close = make("button", { type: "button", "aria-label": "Dismiss this message" }, "×");
  close.addEventListener("click", () => $(id).replaceChildren());
  $(id).replaceChildren(make("p", {}, text), close);
}

/** Tells an error. */
export function fail(text) {
  $("outcome").replaceChildren();
  show("error", text);
}

/** It works again: the error is gone, and what came of it is told. */
export function succeed(text) {
  $("error").replaceChildren();
  clearTimeout(timer);
  show("outcome", text);
  timer = setTimeout(() => $("outcome").replaceChildren(), OUTCOME);
}
