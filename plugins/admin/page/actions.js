// The buttons: each is there only where it can work, most ask first, and all tell what came of it.
import { $, make } from "./format.js";
import { ask } from "./ask.js";
import { fail, succeed } from "./message.js";

const ACTIONS = {
  suspend: {
    label: "Suspend",
    busy: "Suspending …",
    question: (name) => `Suspend ${name}? Newcomers wait; sessions go on.`,
    fits: ({ state }) => state === "running",
  },
  drain: {
    label: "Drain",
    busy: "Draining …",
    question: (name) =>
      `Drain ${name}? Newcomers wait, and its sessions are closed when their time is over.`,
    fits: ({ state, live }) => state === "running" || (state === "suspended" && live > 0),
  },
  // Nobody is hurt by that.
  resume: {
    label: "Resume",
    busy: "Resuming …",
    fits: ({ state }) => ["suspended", "draining", "failed"].includes(state),
  },
};
const RELOAD = {
  label: "Reload the manifest",
  busy: "Reloading …",
  question: () => "Reload the manifest? What has changed in it is started anew.",
};

function confirmed(text, label) {
  const dialog = $("confirm");
  $("question").textContent = text;
  $("confirmed").textContent = label;
  dialog.returnValue = "no";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
  });
}

async function request(verb, service) {
  const path = service === undefined ? verb : `${verb}/${encodeURIComponent(service)}`;
  const options = { method: "POST", headers: { "content-type": "application/json" }, body: "{}" };
  let answer;
  try {
    // A drain takes as long as the sessions do.
    answer = await ask(`/control/${path}`, options, undefined);
  } catch {
    throw new Error("the server has not answered");
  }
  const told = await answer.json();
  if (!answer.ok) throw new Error(told.message ?? told.error);
  return told.result;
}

const list = (names) => names.length > 5 ? `${names.slice(0, 5).join(", ")} …` : names.join(", ");

function describeReload(result) {
  const parts = ["added", "changed", "removed"].filter((key) => result[key].length > 0)
    .map((key) => `${result[key].length} ${key} (${list(result[key])})`);
  return `The manifest is reloaded: ${
    parts.length > 0 ? parts.join(", ") : "nothing has changed"
  }.`;
}

/** Wires a button to its action. @param outcome tells what came of it, from the result. */
function wire(button, action, verb, service, outcome) {
  button.addEventListener("click", async () => {
    if (button.getAttribute("aria-disabled") === "true") return;
    if (action.question && !await confirmed(action.question(service), action.label)) return;
    button.setAttribute("aria-disabled", "true");
    button.setAttribute("aria-busy", "true");
    button.textContent = action.busy;
    try {
      succeed(await outcome(await request(verb, service)));
    } catch (error) {
      const about = service === undefined ? action.label : `${action.label} ${service}`;
      fail(`${about}: ${error.message}`);
    } finally {
      for (const name of ["aria-disabled", "aria-busy"]) button.removeAttribute(name);
      button.textContent = action.label;
      button.dispatchEvent(new CustomEvent("acted", { bubbles: true }));
    }
  });
}

/** @param look reads the status anew. */
export function wireReload(look) {
  wire($("reload"), RELOAD, "reload", undefined, async (result) => {
    await look();
    return describeReload(result);
  });
}

/**
 * The buttons of one service. @returns their box, and what shows those that fit a status; of the service
 * that answers this page none does.
 */
export function makeButtons(service, look) {
  const box = make("div", { class: "buttons" });
  const note = make("span", { class: "faint" }, "serves this page");
  const buttons = Object.entries(ACTIONS).map(([verb, action]) => {
    const label = `${action.label} ${service}`;
    const button = make("button", { type: "button", "aria-label": label }, action.label);
    wire(button, action, verb, service, async () => {
      const { services } = await look();
      const state = services.find((one) => one.service === service)?.state ?? "gone";
      return `${service} is ${state} now.`;
    });
    return { action, button };
  });
  box.append(note, ...buttons.map(({ button }) => button));
  let last;
  // One that was busy stays until it is not.
  box.addEventListener("acted", () => last !== undefined && buttonsOf.show(...last));
  const buttonsOf = {
    box,
    show(status, own) {
      last = [status, own];
      note.hidden = !own;
      const focused = document.activeElement;
      for (const { action, button } of buttons) {
        button.hidden = own || !(action.fits(status) || button.ariaBusy === "true");
      }
      // Who has pressed one that is not needed any more is led to the next.
      if (focused?.hidden && box.contains(focused)) {
        buttons.find(({ button }) => !button.hidden)?.button.focus();
      }
    },
  };
  return buttonsOf;
}
