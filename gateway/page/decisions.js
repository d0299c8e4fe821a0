// The stream of decisions: a sample of them, a row each; one of them opened shows all that is known of it.

import {byId, element, setAttribute, setText} from "./dom.js";
import {explanation, complexityBar} from "./explain.js";
import {clock, count, millis, plural, usd} from "./figures.js";

const rowsMax = 60;
let paused = false, waiting = [], trusts = new Map();

export function noteTargets(targets) {
  trusts = new Map(targets.map((target) => [target.target, target.trust]));
}

function costOf(decision) {
  return element("span", {class: "cost", title: decision.cost_usd === null ? "an attempt has no price" : `$${decision.cost_usd}`}, usd(decision.cost_usd));
}

function rowOf(decision) {
  const ok = decision.outcome === "ok";
  const target = element("span", {class: `target ${trusts.get(decision.target) ?? ""}`}, element("b", {}, decision.target ?? "nowhere"),
    decision.attempts > 1 ? element("em", {}, `${decision.attempts} tries`) : null, ok ? null : element("em", {class: "bad"}, decision.outcome.replaceAll("_", " ")));
  const row = element("button", {type: "button", class: "row", "aria-haspopup": "dialog", "data-id": decision.id, onclick: () => open(decision.id)},
    element("time", {datetime: decision.at, title: `came ${clock(decision.at)}`}, clock(Date.parse(decision.at) + decision.duration_ms)), complexityBar(decision.complexity, decision.tier), target,
    element("span", {class: "reason"}, decision.reason), costOf(decision), element("span", {class: "took"}, millis(decision.duration_ms)));
  return element("li", {class: ok ? null : "failed", "data-text": `${decision.target} ${decision.model} ${decision.reason} ${decision.outcome} ${decision.tier} ${decision.team}`.toLowerCase()}, row);
}

function filterRows() {
  const wanted = byId("filter").value.trim().toLowerCase();
  for (const item of byId("decisions").children) item.hidden = wanted !== "" && !item.dataset.text.includes(wanted);
}

/** The newest first, as they come. */
export function addDecisions(news) {
  if (paused) {
    waiting = [...news, ...waiting].slice(0, rowsMax);
    return;
  }
  const list = byId("decisions"), known = new Set([...list.querySelectorAll(".row")].map((row) => row.dataset.id));
  const focused = document.activeElement?.closest?.("#decisions li");
  list.prepend(...news.filter((decision) => !known.has(decision.id)).map(rowOf));
  while (list.children.length > rowsMax && list.lastElementChild !== focused) list.lastElementChild.remove();
  byId("no-decisions").hidden = list.children.length > 0;
  filterRows();
}

/** How much of the traffic the list shows. */
export function saySampled(shown, perSecond) {
  const part = perSecond !== null && shown < perSecond * 0.9;
  const of = `about ${count(Math.round(perSecond ?? 0))} a second`;
  setText(byId("sampled"), !part ? "" : shown > 0 ? `a sample: ${count(shown)} of ${of}` : `a sample of ${of}`);
}

function triesOf(decision) {
  return decision.tries.map((attempt) => element("li", {class: ["ok", "hedge_lost"].includes(attempt.result) ? null : "failed"},
    element("b", {}, attempt.target ?? "?"), ` ${attempt.result.replaceAll("_", " ")}${attempt.status ? `, status ${attempt.status}` : ""}: `,
    element("span", {class: "number", title: attempt.cost_usd === null ? null : `$${attempt.cost_usd}`}, usd(attempt.cost_usd)),
    `, ${plural(attempt.input_tokens, "token")} in${attempt.cached_input_tokens ? ` (${count(attempt.cached_input_tokens)} cached)` : ""}, ${plural(attempt.output_tokens, "token")} out; usage ${attempt.usage_source}`,
    Object.keys(attempt.charges_usd).length ? element("span", {class: "charges"}, Object.entries(attempt.charges_usd).map(([kind, amount]) => `${kind.replaceAll("_", " ")} ${usd(amount)}`).join(" + ")) : null));
}

function fact(name, value) {
  return element("div", {}, element("dt", {}, name), element("dd", {}, value));
}

export function wholeDecision(decision) {
  return [
    element("p", {class: "sentence"}, "The request for ", element("code", {}, decision.model || "no model"), decision.target ? " went to " : " went nowhere: ",
      decision.target ? element("b", {}, decision.target) : null, decision.target ? `: ${decision.reason}.` : `${decision.reason}.`),
    element("dl", {class: "facts"}, fact("cost", decision.cost_usd === null ? "unknown" : `$${decision.cost_usd}`), fact("took", millis(decision.duration_ms)),
      fact("first token", millis(decision.first_token_ms)), fact("answer", `${decision.status || "none"} ${decision.outcome.replaceAll("_", " ")}`),
      fact("team", decision.team ?? "none"), fact("id", decision.id)),
    decision.tries.length ? element("h3", {}, "What was tried") : null,
    decision.tries.length ? element("ul", {class: "tries"}, ...triesOf(decision)) : null,
    element("h3", {}, "How it was decided"), ...explanation(decision.explanation),
  ].filter(Boolean);
}

async function open(id) {
  const dialog = byId("detail"), body = byId("detail-body");
  body.replaceChildren(element("p", {class: "hint"}, "…"));
  if (!dialog.open) dialog.showModal();
  try {
    const answer = await fetch(`/admin/v1/decisions/${encodeURIComponent(id)}`), said = await answer.json();
    body.replaceChildren(...(answer.ok ? wholeDecision(said) : [element("p", {class: "refused"}, said.error.message)]));
  } catch (failed) {
    body.replaceChildren(element("p", {class: "refused"}, `The gateway does not answer: ${failed.message}`));
  }
}

export function setPaused(now) {
  paused = now;
  setText(byId("pause"), paused ? "Go on" : "Pause");
  setAttribute(byId("pause"), "aria-pressed", String(paused));
  if (!paused) addDecisions(waiting.splice(0));
}

/** Up and down walk through the rows. */
function walk(event) {
  const step = {ArrowDown: 1, ArrowUp: -1}[event.key], rows = [...byId("decisions").querySelectorAll("li:not([hidden]) .row")];
  const at = rows.indexOf(document.activeElement);
  if (!step || at < 0) return;
  event.preventDefault();
  rows[Math.min(rows.length - 1, Math.max(0, at + step))].focus();
}

export function start() {
  byId("filter").addEventListener("input", filterRows);
  byId("pause").addEventListener("click", () => setPaused(!paused));
  byId("decisions").addEventListener("keydown", walk);
  byId("close").addEventListener("click", () => byId("detail").close());
  byId("detail").addEventListener("click", (event) => event.target === byId("detail") && byId("detail").close());
}

export const togglePause = () => setPaused(!paused);
