// Advice (GET /admin/v1/advice, `tollgate advise --json`): for the traffic of each target what every tier would cost, where one beats another, and the way to the advice.

import {byId, element, setText} from "./dom.js";
import {brief, percent, span, usd} from "./figures.js";

const every = 120_000;             // milliseconds between two looks at what the gateway keeps
const soon = 15_000;               // … where there is nothing yet
const managed_shown = 4;
const names = {managed: "managed", serverless: "serverless", dedicated: "rented", owned: "bought"};
let asked = 0;

const month = (tier) => Number(tier.per_month.usd);
const dollars = (text) => (Math.abs(Number(text)) >= 100 ? `$${Math.round(Number(text)).toLocaleString("en-US")}` : usd(text));

function tierRow(tier, most, advised) {
  if (tier.unknown) {
    return element("tr", {class: "out"}, element("th", {scope: "row"}, names[tier.tier]), element("td", {class: "place"}, tier.where), element("td", {class: "number", title: tier.unknown}, "unknown"), element("td", {}));
  }
  const bar = element("span", {class: "bar", role: "presentation"}, element("i"));
  bar.firstChild.style.setProperty("--part", most > 0 ? month(tier) / most : 0);
  const {low_usd: low, high_usd: high} = tier.per_month;
  return element("tr", {class: advised ? "chosen" : null}, element("th", {scope: "row"}, names[tier.tier]), element("td", {class: "place"}, tier.where),
                 element("td", {class: "number", title: `$${tier.per_month.usd}: ${tier.lines.map((line) => `${line.what} $${line.per_month.usd}`).join(", ")}`}, dollars(tier.per_month.usd),
                         low === high ? null : element("span", {class: "range"}, `${dollars(low)} to ${dollars(high)}`)), element("td", {}, bar));
}

function ranking(said) {
  const known = said.tiers.filter((tier) => !tier.unknown).sort((a, b) => month(a) - month(b)), unknown = said.tiers.filter((tier) => tier.unknown);
  const hosts = known.filter((tier) => tier.tier === "managed"), shown = known.filter((tier) => tier.tier !== "managed" || hosts.indexOf(tier) < managed_shown);
  const best = known.find((tier) => tier.tier === said.advice), most = Math.max(0, ...shown.map(month));
  const more = hosts.length - managed_shown;
  return element("div", {class: "scroll", tabindex: "0", role: "group", "aria-label": "Tiers, cheapest first"}, element("table", {class: "plan"},
    element("thead", {}, element("tr", {}, element("th", {scope: "col"}, "Tier"), element("th", {scope: "col"}, "Where"), element("th", {scope: "col", class: "number"}, "A month"), element("th", {}))),
    element("tbody", {}, ...shown.map((tier) => tierRow(tier, most, tier === best)), ...unknown.map((tier) => tierRow(tier, most, false)))),
    more > 0 ? element("p", {class: "hint"}, `and ${more} dearer managed host${more === 1 ? "" : "s"}`) : null);
}

// The trend stands beneath its point, where a phone has room for it; that there is none is said once, above.
function evens(said) {
  if (said.break_even_points.length === 0) return null;
  const trend = (point) => (point.trend && !point.trend.startsWith("unknown") ? element("span", {class: "range"}, point.trend) : null);
  return element("div", {class: "scroll", tabindex: "0", role: "group", "aria-label": "Break-even points"}, element("h3", {}, "Break-even"), element("table", {class: "plan"},
    element("thead", {}, element("tr", {}, element("th", {scope: "col"}, ""), element("th", {scope: "col", class: "number"}, "At"), element("th", {scope: "col", class: "number"}, "Today"))),
    element("tbody", {}, ...said.break_even_points.map((point) => element("tr", {}, element("td", {}, point.what, trend(point)), element("td", {class: "number"}, point.at), element("td", {class: "number"}, point.today))))));
}

function verdict(said) {
  const saving = said.saving_per_month_usd, burden = ` Running it takes ${said.burden}.`;
  if (saving === null || said.advice === "managed") return [burden];
  const better = Number(saving) >= 0;
  return [" It costs ", element("b", {class: better ? "better" : "worse", title: `$${saving}`}, `${dollars(String(Math.abs(Number(saving))))} a month ${better ? "less" : "more"}`), ` than the cheapest managed host${said.managed_ruled_out ? `, which is ruled out: ${said.managed_ruled_out}` : ""}.${burden}`];
}

function card(said) {
  const title = said.target ?? said.model;
  if (said.unknown) {
    return element("article", {}, element("div", {class: "title"}, element("h3", {}, title), element("span", {class: "hint"}, said.model)), element("p", {class: "empty"}, `Nothing can be said: ${said.unknown}`));
  }
  const tokens = said.input_tokens_per_day + said.output_tokens_per_day;
  return element("article", {},
    element("div", {class: "title"}, element("h3", {}, title), element("span", {class: "hint"}, said.model)),
    element("p", {class: "sentence"}, "Advice: ", element("b", {}, names[said.advice]), ".", ...verdict(said)),
    element("p", {class: "hint"}, `${brief(tokens)} tokens a day, measured over ${span(said.hours * 3600)}; ${said.replicas} × ${said.gpus_per_replica} ${said.gpu} would be at work ${percent(said.utilisation)}; trend: ${said.trend?.text ?? "unknown"}`),
    ranking(said), evens(said),
    element("details", {}, element("summary", {}, "The decision, step by step"), element("ol", {class: "steps"}, ...said.decision.map((step) => element("li", {}, element("b", {}, step.question), ` ${step.found} `, element("em", {}, `→ ${step.therefore}`))))),
    element("details", {}, element("summary", {}, "What was assumed"), element("ul", {class: "lines"}, ...said.assumptions.map((each) => element("li", {}, `${each.what}: ${each.value}`, each.flags ? element("code", {}, ` ${each.flags}`) : null)), element("li", {}, said.guides))));
}

function keepOpen(host, cards) {
  const open = new Set([...host.querySelectorAll("details[open]")].map((each) => each.dataset.key));
  cards.forEach((each, i) => each.querySelectorAll("details").forEach((part, j) => {
    part.dataset.key = `${i}.${j}`;
    part.open = open.has(part.dataset.key);
  }));
  host.replaceChildren(...cards);
}

async function look() {
  const mine = ++asked, host = byId("advice"), parameters = [];
  if (!byId("advice-team").checked) parameters.push("no_team");
  if (byId("advice-own").checked) parameters.push("needs_own_weights");
  if (!host.firstChild) host.replaceChildren(element("p", {class: "hint"}, "reading the ledger …"));
  try {
    const answer = await fetch(`/admin/v1/advice${parameters.length ? `?${parameters.join("&")}` : ""}`), said = await answer.json();
    if (mine !== asked) return;
    if (answer.ok && said.length === 0) {
      host.replaceChildren(element("p", {class: "empty"}, "No answer is in the ledger yet. Once there is traffic, its cost on every tier stands here."));
      setTimeout(look, soon);
    } else if (answer.ok) {
      keepOpen(host, said.map(card));
      const age = answer.headers.get("age");
      setText(byId("advice-age"), `the traffic of each target, ${age && Number(age) >= 60 ? `worked out ${span(Number(age))} ago` : "worked out just now"}`);
    } else if (said.error.code === "busy") setTimeout(look, 1000);
    else host.replaceChildren(element("p", {class: "refused"}, said.error.message));
  } catch (failed) {
    if (mine === asked) host.replaceChildren(element("p", {class: "refused"}, `The gateway does not answer: ${failed.message}`));
  }
}

export function begin() {
  for (const id of ["advice-team", "advice-own"]) byId(id).addEventListener("change", look);
  look();
  setInterval(look, every);
}
