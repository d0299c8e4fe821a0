// The report of a simulation (POST /admin/v1/simulate, `tollgate simulate --json`): what it costs, who moves, what it risks. Losses as plain as gains.

import {element} from "./dom.js";
import {count, millis, percent, plural, signedUsd, usd} from "./figures.js";

const moves_shown = 12;

const number = (text, title, mood) => element("td", {class: `number${mood ? ` ${mood}` : ""}`, title}, text);
const exact = (text) => (text === null || text === undefined ? null : `$${text}`);
/** More of it is worse: money, time, risk. */
const moodOf = (difference) => (difference > 0 ? "worse" : difference < 0 ? "better" : null);

// Amounts are exact decimal texts; a difference of two is exact only in integers.
function difference(before, after) {
  const places = Math.max(...[before, after].map((text) => (text.split(".")[1] ?? "").length));
  const whole = (text) => {
    const [units, part = ""] = text.replace("-", "").split(".");
    const size = BigInt(units + part.padEnd(places, "0"));
    return text.startsWith("-") ? -size : size;
  };
  const gap = whole(after) - whole(before), digits = (gap < 0n ? -gap : gap).toString().padStart(places + 1, "0");
  return `${gap < 0n ? "-" : ""}${digits.slice(0, digits.length - places)}${places ? `.${digits.slice(digits.length - places)}` : ""}`;
}

function table(headings, rows, title) {
  if (rows.length === 0) return null;
  const head = headings.map((heading, i) => element("th", {scope: "col", class: i === 0 || heading.left ? null : "number"}, heading.left ?? heading));
  return element("div", {class: "scroll", tabindex: "0", role: "group", "aria-label": title}, element("h3", {}, title),
                 element("table", {class: "plan"}, element("thead", {}, element("tr", {}, ...head)), element("tbody", {}, ...rows)));
}

function changes(title, what, list) {
  const rows = list.filter((each) => each.before.requests + each.after.requests > 0).map((each) => {
    const gap = difference(each.before.usd, each.after.usd);
    return element("tr", {}, element("th", {scope: "row"}, each.name || "(none)"), number(count(each.before.requests)), number(count(each.after.requests)),
                   number(usd(each.before.usd), exact(each.before.usd)), number(usd(each.after.usd), exact(each.after.usd)), number(signedUsd(gap), exact(gap), moodOf(Number(gap))));
  });
  return table([what, "Requests", "after", "Cost", "after", "Difference"], rows, title);
}

function pools(all) {
  const before = new Map(all.before.map((pool) => [pool.pool, pool]));
  const rows = all.after.map((pool) => {
    const was = before.get(pool.pool), gap = was ? difference(was.usd_billed, pool.usd_billed) : pool.usd_billed;
    const pair = (text, of) => `${was ? text(of(was)) : "–"} → ${text(of(pool))}`;
    return element("tr", {}, element("th", {scope: "row"}, pool.pool), number(pair(usd, (one) => one.usd_billed), exact(pool.usd_billed), moodOf(Number(gap))),
                   number(pair(percent, (one) => one.busy_ratio)), number(pair(usd, (one) => one.usd_idle), exact(pool.usd_idle)), number(pool.load_ratio === undefined ? "–" : percent(pool.load_ratio)),
                   number(count(pool.most_at_once ?? null)), number(count(pool.cold_starts ?? null)), number(pair(count, (one) => one.requests)));
  });
  const gone = all.before.filter((pool) => !all.after.some((other) => other.pool === pool.pool)).map((pool) => element("tr", {class: "out"},
    element("th", {scope: "row"}, pool.pool), number(`${usd(pool.usd_billed)} → none`), number(""), number(""), number(""), number(""), number(""), number(count(pool.requests))));
  return table(["Pool", "Billed", "Busy", "Idle cost", "Load", "At once", "Cold starts", "Requests"], [...rows, ...gone], "Hardware, before → after");
}

function moves(all) {
  const rows = all.moves.slice(0, moves_shown).map((move) => {
    const gap = difference(move.usd_before, move.usd_after);
    return element("tr", {}, element("th", {scope: "row"}, `${move.from} → ${move.to}`), element("td", {}, move.why), number(count(move.requests)),
                   number(move.weaker ? count(move.weaker) : "–", "to a target of lower capability", move.weaker ? "worse" : null), number(signedUsd(gap), exact(gap), moodOf(Number(gap))));
  });
  const drawn = table(["Requests that move", {left: "Why"}, "Requests", "Weaker", "Difference"], rows, `${count(all.changed)} of ${count(all.requests)} requests change target`);
  return drawn ?? element("p", {}, `None of ${count(all.requests)} requests changes its target.`);
}

function latency(all) {
  const rows = [["First token", all.latency.first_token], ["Whole answer", all.latency.whole]].filter(([, each]) => each.before || each.after).map(([name, each]) => {
    const pair = (key) => {
      const was = each.before?.[key] ?? null, now = each.after?.[key] ?? null;
      return number(`${millis(was)} → ${millis(now)}`, null, was === null || now === null || Math.abs(now - was) < 0.05 * was ? null : moodOf(now - was));
    };
    return element("tr", {}, element("th", {scope: "row"}, name), pair("mean_ms"), pair("p50_ms"), pair("p95_ms"));
  });
  return table(["Time", "Mean", "Half are below", "95 % are below"], rows, "Time, before → after");
}

function quality({quality: said}) {
  const more = said.at_risk_after - said.at_risk_before;
  const parts = [element("b", {class: moodOf(more)}, plural(said.at_risk_after, "request")), ` harder than their target is trusted with (was ${count(said.at_risk_before)}); `,
                 `${count(said.weaker)} go to a weaker target, ${count(said.stronger)} to a stronger one. `];
  if (said.bad_known_requests_before + said.bad_known_requests_after === 0) {
    parts.push(`Known outcomes: ${count(said.outcomes_known)}, too few to expect a share of bad answers from.`);
  } else {
    const share = (bad, of) => (of ? `${percent(bad / of)} of ${count(of)}` : "not known");
    parts.push(`Bad answers to be expected, by ${plural(said.outcomes_known, "known outcome")}: ${share(said.bad_expected_after, said.bad_known_requests_after)}, was ${share(said.bad_expected_before, said.bad_known_requests_before)}.`);
  }
  return element("p", {}, element("strong", {}, "Quality at risk: "), ...parts);
}

function rules(all) {
  const lines = all.constraints.map((each) => element("li", {class: each.refused ? "worse" : null}, `Constraint ${each.constraint}: covers ${plural(each.covered, "request")}`,
    each.refused ? `, ${count(each.refused)} of them have no target left and are refused` : "", each.unknown ? `; of ${count(each.unknown)} more it is not known` : ""));
  lines.push(...all.budgets.map((each) => element("li", {class: each.used_up ? "worse" : null}, each.used_up
    ? `Budget ${each.budget}: used up ${plural(each.used_up, "time")}, first at ${each.first}; ${plural(each.requests_past, "request")} came after`
    : `Budget ${each.budget}: holds, at most ${usd(each.most_usd)} of ${usd(each.limit_usd)}`)));
  return lines.length ? element("ul", {class: "lines"}, ...lines) : null;
}

function unknown({not_known: said, fidelity, speeds}) {
  const lines = [], say = (requests, text) => requests > 0 && lines.push(`${plural(requests, "request")} ${text}`), names = (list) => list.join(", ");
  say(said.left_out, "of the period came before these and are left out: the last ones are simulated, in one piece");
  say(said.without_facts, "were recorded without facts of their routing: decided by size and complexity alone");
  say(said.unknown_facts, "turn on a header, a word or a pattern that was not asked about then: taken as not there");
  say(said.unpriced, `go where the price is not known (${names(said.unpriced_targets)}): not in the cost`);
  say(said.unseen, `go to targets whose speed was never measured (${names(said.unseen_targets)})`);
  say(said.guessed_usage, "were refused and would be served: their tokens are guessed");
  say(said.refused_as_recorded, "were refused by limits, budgets or their own bound, and are left so");
  say(said.folded, "are kept as daily sums only and cannot be replayed");
  if (said.pools_never_full.length) lines.push(`when ${names(said.pools_never_full)} would slow down: the traffic never filled it`);
  if (!fidelity) lines.push("whether the rules in force would come out as recorded");
  const guessed = speeds.filter((each) => each.known_from === "everything").map((each) => each.target);
  if (guessed.length) lines.push(`how fast ${names(guessed)} would be: taken as all traffic together`);
  lines.push("whether answers would be as long, and prompt caches as warm, elsewhere: the length is taken as it was, caches as cold");
  return element("details", {open: said.left_out + said.unpriced > 0}, element("summary", {}, "What is not known"), element("ul", {class: "lines"}, ...lines.map((line) => element("li", {}, line))));
}

const dollars = (value) => usd(String(value));

/** Nodes, most important first. */
export function report(all) {
  const gap = all.cost.usd_difference, mood = moodOf(Number(gap)), [low, high] = all.cost.difference_interval;
  const days = (new Date(all.until) - new Date(all.since)) / 86_400_000;
  return [
    element("p", {class: "fidelity"}, all.line),
    element("p", {class: "sentence"}, `Cost ${usd(all.cost.usd_before)} before, ${usd(all.cost.usd_after)} after: `,
            element("b", {class: mood, title: exact(gap)}, Number(gap) === 0 ? "no difference" : `${signedUsd(gap)}${days > 0 ? ` (${signedUsd(String(Number(gap) / days))} a day)` : ""}`),
            " — 95 %: ", element("span", {class: "amount"}, dollars(low)), " to ", element("span", {class: "amount"}, dollars(high))),
    element("p", {class: "hint"}, `${plural(all.requests, "request")}, ${all.since.replace("T", " ").replace("Z", "")} to ${all.until.replace("T", " ").replace("Z", "")} UTC`,
            all.scale === 1 ? "" : `, ${all.scale} times`, "; before: ", all.before, ". Hardware counts with its whole bill, busy or idle."),
    moves(all), changes("By target: what requests used of it", "Target", all.targets), changes("By team", "Team", all.teams), pools(all.pools), latency(all), quality(all), rules(all), unknown(all),
  ].filter(Boolean);
}
