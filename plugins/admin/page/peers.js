// Who was busiest, and who was slowest.
import { $, count, make, milliseconds, size } from "./format.js";

function table(id, label, peers, column, valueOf) {
  const titles = [["Host"], ["Service"], ["Sessions", "number"], [column, "number"]];
  const head = titles.map(([title, kind = ""]) => make("th", { scope: "col", class: kind }, title));
  const body = peers.map((peer) =>
    make(
      "tr",
      {},
      make("td", { class: "host" }, peer.host),
      make("td", { class: "name" }, peer.service),
      make("td", { class: "number" }, count(peer.sessions)),
      make("td", { class: "number" }, valueOf(peer)),
    )
  );
  if (body.length === 0) {
    body.push(make("tr", {}, make("td", { colspan: titles.length, class: "faint" }, "nobody yet")));
  }
  $(id).setAttribute("aria-label", label);
  $(id).replaceChildren(
    make("thead", {}, make("tr", {}, ...head)),
    make("tbody", {}, ...body),
  );
}

export function showPeers({ busiest, slowest }) {
  table("busiest", "Busiest peers", busiest, "Bytes", ({ bytes }) => size(bytes));
  table("slowest", "Slowest peers", slowest, "Longest", ({ longestMs }) => milliseconds(longestMs));
}
