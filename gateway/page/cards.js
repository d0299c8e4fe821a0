// Figures, checklist, hardware, targets and budgets, drawn from an overview (GET /admin/v1/overview).

import {byId, element, keepList, setAttribute, setText, sparkline} from "./dom.js";
import {brief, count, percent, plural, rate, signedUsd, span, usd} from "./figures.js";

function figure(id, value, note, more, exact) {
  const card = byId(id), [main, ...notes] = card.querySelectorAll(".value, .note");
  setText(main, value);
  setAttribute(main, "title", exact ?? null);
  setText(notes[0], note);
  if (notes[1]) setText(notes[1], more ?? "");
  return card;
}

function drawFigures(overview) {
  const {spend, bill, requests, history} = overview, over = `over the last ${span(Math.max(1, Math.round(overview.rates_over_seconds)))}`;
  const early = spend.usd_per_hour === null;
  const now = figure("figure-rate", early ? "…" : `${usd(spend.usd_per_hour)}/h`,
                     early ? "just started" : `charged to requests; the bill with idle hardware is ${usd(bill.usd_per_hour)}/h`, "", early ? null : `$${spend.usd_per_hour}/h ${over}`);
  sparkline(now.querySelector(".spark"), [{name: "spend", values: history.spend_usd_per_hour, style: "spend", filled: true},
                                          {name: "bill", values: history.bill_usd_per_hour, style: "bill"}]);
  const failed = requests.failed_today ? `, ${count(requests.failed_today)} failed` : "";
  const unpriced = spend.unpriced_attempts_today;
  const today = figure("figure-today", usd(spend.today_usd), `${plural(requests.today, "request")} since 00:00 UTC${failed}`,
                       overview.today.error ? `of this run only: ${overview.today.error}` : !overview.today.complete ? "adding up what earlier runs recorded …"
                       : unpriced ? `${plural(unpriced, "attempt")} of unknown cost not in it` : `${brief(requests.input_tokens_today + requests.output_tokens_today)} tokens`,
                       `$${spend.today_usd}`);
  setAttribute(today, "data-mood", unpriced || overview.today.error ? "warn" : null);
  const traffic = figure("figure-traffic", requests.per_second === null ? "…" : `${rate(requests.per_second)}/s`, `${plural(requests.in_flight, "request")} under way`);
  sparkline(traffic.querySelector(".spark"), [{name: "requests", values: history.requests_per_second, style: "traffic", filled: true}]);
  drawSavings(overview);
}

function drawSavings(overview) {
  const saved = overview.savings[0], card = byId("figure-saved");
  if (!saved) {
    figure("figure-saved", "unknown", "no baseline to compare with", "add one: baselines: [{name: all-managed, target: …}]");
    setAttribute(card, "data-mood", null);
    return;
  }
  const lost = Number(saved.today_usd) < 0;
  setText(card.querySelector("h2"), lost ? "Lost today" : "Saved today");
  figure("figure-saved", signedUsd(saved.today_usd), `${saved.baseline} would have cost ${usd(saved.baseline_usd)}; the bill is ${usd(overview.bill.today_usd)}`,
         saved.unknown_requests ? `${plural(saved.unknown_requests, "request")} not comparable` : `hardware counts, busy or idle: ${usd(overview.bill.hardware_usd)}`,
         `$${saved.today_usd} against ${saved.baseline}`);
  setAttribute(card, "data-mood", lost ? "bad" : Number(saved.today_usd) > 0 ? "good" : null);
}

function drawChecklist(lines) {
  const done = lines.filter((line) => line.state === "ok").length, all = done === lines.length;
  const section = byId("setup"), details = section.querySelector("details");
  if (section.hidden) details.open = !all;
  section.hidden = false;
  if (all && section.dataset.done === "no") details.open = false;
  section.dataset.done = all ? "yes" : "no";
  setText(byId("setup-count"), all ? "all green" : `${done} of ${lines.length} done`);
  keepList(byId("setup-dots"), lines, (line) => line.id, () => element("i"), (dot, line) => setAttribute(dot, "class", line.state));
  keepList(byId("checklist"), lines, (line) => line.id, () => element("li", {}, element("span", {class: "mark"}), element("div", {},
    element("strong"), element("span", {class: "detail"}), element("p", {class: "remedy"}), element("pre", {tabindex: "0"}), copyButton())), (item, line) => {
    const ok = line.state === "ok", [mark, body] = item.children, [title, detail, remedy, snippet, copy] = body.children;
    setAttribute(item, "class", line.state);
    setText(mark, ok ? "✓" : "!");
    setAttribute(mark, "title", ok ? "done" : "to do");
    setText(title, line.title);
    setText(detail, line.detail);
    setText(remedy, line.remedy ?? "");
    setText(snippet, line.snippet ?? "");
    for (const part of [snippet, copy]) part.hidden = !line.snippet;
    remedy.hidden = ok;
  });
}

function copyButton() {
  return element("button", {type: "button", class: "quiet copy", onclick: async (event) => {
    const button = event.currentTarget;
    await navigator.clipboard.writeText(button.previousElementSibling.textContent).then(() => setText(button, "Copied"), () => setText(button, "Select and copy"));
    setTimeout(() => setText(button, "Copy"), 1500);
  }}, "Copy");
}

function makePool(pool) {
  return element("article", {class: "pool"},
    element("div", {class: "title"}, element("h3", {}, pool.pool), element("span", {class: "hint"})),
    element("div", {class: "gauge", role: "meter", "aria-valuemin": "0", "aria-valuemax": "100"}, element("i", {class: "fill"}), element("i", {class: "mark"})),
    element("div", {class: "legend"}, element("span", {class: "busy"}), element("span", {class: "even"})),
    element("p", {class: "says"}), element("dl", {class: "facts"}));
}

function sayOf(pool, even) {
  if (!even) return ["", "Configure a baseline to see where it breaks even."];
  if (even.busy_ratio === null) return ["", `Break-even unknown: ${even.why_unknown}.`];
  const difference = Number(even.baseline_usd_per_hour) - Number(even.bill_usd_per_hour), size = usd(Math.abs(difference));
  if (difference >= 0) return ["good", `Pays: ${size}/h less than ${even.against}.`];
  if (even.busy_ratio > 1) return ["bad", `Costs ${size}/h more than ${even.against}, and would even if always busy: batch more, or send it harder work.`];
  return ["bad", `Costs ${size}/h more than ${even.against}: not busy enough.`];
}

function updatePool(node, pool) {
  const even = pool.break_even[0], gauge = node.querySelector(".gauge"), mark = gauge.querySelector(".mark");
  setText(node.querySelector(".title .hint"), `${pool.gpus > 0 ? `${pool.gpus} × ` : ""}${pool.gpu ?? "GPU"}, ${pool.billing}`);
  gauge.querySelector(".fill").style.setProperty("--part", pool.busy_ratio);
  setAttribute(gauge, "aria-label", `${pool.pool} busy`);
  setAttribute(gauge, "aria-valuenow", Math.round(pool.busy_ratio * 100));
  const known = even && even.busy_ratio !== null;
  mark.hidden = !known;
  if (known) mark.style.setProperty("--part", Math.min(1, even.busy_ratio));
  setText(node.querySelector(".busy"), `busy ${percent(pool.busy_ratio)}`);
  setText(node.querySelector(".even"), known ? `break-even ${even.busy_ratio > 1 ? "never: above 100 %" : percent(even.busy_ratio)}` : "break-even unknown");
  const [mood, says] = sayOf(pool, even);
  setAttribute(node, "data-mood", mood || null);
  setText(node.querySelector(".says"), says);
  const facts = [["costs", `${usd(pool.usd_per_hour)}/h`], ["today", usd(pool.today_usd)], ["per M tokens", usd(pool.usd_per_million_tokens.loaded)], ["in flight", count(pool.in_flight)]];
  keepList(node.querySelector("dl"), facts, ([name]) => name, ([name]) => element("div", {}, element("dt", {}, name), element("dd")), (pair, [, value]) => setText(pair.lastChild, value));
}

const states = {up: "up", half_open: "trying again", breaker_open: "breaker open", unreachable: "unreachable", draining: "draining"};

function drawTargets(targets, seconds) {
  const all = targets.reduce((sum, target) => sum + target.attempts, 0);
  keepList(byId("targets"), targets, (target) => target.target, (target) => element("li", {},
    element("span", {class: "state"}), element("div", {class: "name"}, element("b", {}, target.target), element("span", {class: "hint"})),
    element("span", {class: "share"}), element("div", {class: "track"}, element("i"))), (item, target) => {
    const [state, name, share, track] = item.children, part = all ? target.attempts / all : 0;
    setAttribute(item, "class", `${target.trust} ${target.state}`);
    setText(state, states[target.state] ?? target.state);
    const failed = target.failed ? `, ${count(target.failed)} failed` : "";
    setText(name.lastChild, `${target.priced ? "" : "no price! · "}${count(target.in_flight)} in flight${failed}`);
    setText(share, target.attempts ? `${percent(part)} · ${target.usd_per_hour === null ? "…" : `${usd(target.usd_per_hour)}/h`}` : "no traffic");
    setAttribute(share, "title", `${count(target.attempts)} attempts in ${Math.round(seconds)} s`);
    track.firstChild.style.setProperty("--part", part);
  });
}

function drawBudgets(budgets, at) {
  const host = byId("budgets");
  if (budgets.length === 0) {
    if (!host.querySelector(".empty")) host.replaceChildren(element("p", {class: "empty"}, "None is set. A budget refuses, warns or chooses cheaper targets before money is spent."));
    return;
  }
  host.querySelector(".empty")?.remove();
  keepList(host, budgets, (budget) => budget.budget, (budget) => element("article", {class: "budget"},
    element("div", {class: "title"}, element("h3", {}, budget.budget), element("span", {class: "hint"})),
    element("div", {class: "meter"}, element("i", {class: "spent"}), element("i", {class: "held"})), element("p", {class: "hint"})), (node, budget) => {
    const limit = Number(budget.limit_usd), part = (text) => (limit > 0 ? Math.min(1, Number(text) / limit) : 1), spent = part(budget.spent_usd);
    setText(node.querySelector(".title .hint"), budget.window === "rolling" ? `last ${span(budget.rolling_seconds)}` : `this ${budget.window}`);
    const [first, second] = node.querySelector(".meter").children;
    first.style.setProperty("--part", spent);
    second.style.setProperty("--part", Math.min(1 - spent, part(budget.reserved_usd)));
    setAttribute(node, "data-mood", spent >= 1 ? "bad" : spent >= 0.8 ? "warn" : null);
    const left = budget.resets ? `, resets in ${span(Math.max(0, (new Date(budget.resets) - at) / 1000))}` : "";
    setText(node.lastChild, `${usd(budget.spent_usd)} of ${usd(budget.limit_usd)}${Number(budget.reserved_usd) > 0 ? `, ${usd(budget.reserved_usd)} reserved` : ""}${left}`);
    setAttribute(node.lastChild, "title", `$${budget.spent_usd} spent, $${budget.reserved_usd} reserved, $${budget.remaining_usd} left`);
  });
}

export function draw(overview) {
  drawFigures(overview);
  drawChecklist(overview.checklist);
  const pools = byId("pools");
  if (overview.pools.length === 0) {
    pools.replaceChildren(element("p", {class: "empty"}, "No hardware of your own: everything is paid for by the token."));
  } else {
    pools.querySelector(".empty")?.remove();
    keepList(pools, overview.pools, (pool) => pool.pool, makePool, updatePool);
  }
  drawTargets(overview.targets, overview.rates_over_seconds);
  drawBudgets(overview.budgets, new Date(overview.at));
  setText(byId("where"), `${overview.access.data_url} · up ${span(overview.uptime_seconds)}`);
  const loaded = overview.config.sha256.slice(0, 12);
  setText(byId("foot"), `Tollgate ${overview.version} · configuration ${overview.config.source} (${loaded})${overview.config.valid ? "" : ", changed and not valid: the old one is in force"} · ledger ${overview.ledger.writable ? "writable" : `not writable: ${overview.ledger.error}`}`);
}
