// A decision explained: the sentence first, then what competed, what was ruled out, and what made the request look hard or easy.

import {element} from "./dom.js";
import {millis, usd} from "./figures.js";

const why = {
  constraint: "a constraint forbids it", capability: "not trusted with a request this hard", context: "the prompt is too long for it",
  tools: "cannot use tools", images: "cannot read images", schema: "cannot promise JSON", surface: "does not serve this API",
  breaker_open: "its circuit breaker is open", unreachable: "does not answer", draining: "is being drained", saturated: "is full",
  min_capability: "below what the route asks for", first_token: "its first token would come too late", deadline: "its answer would come too late",
  max_cost: "might cost more than the request allows", budget: "a budget has not enough left",
};

export function complexityBar(score, tier) {
  const bar = element("span", {class: "bar", role: "presentation"}, element("i"));
  bar.firstChild.style.setProperty("--part", Math.min(1, Math.max(0, score)));
  return element("span", {class: `complexity ${tier.toLowerCase()}`, title: `complexity ${score.toFixed(3)} of 1`}, bar,
                 element("b", {}, score.toFixed(2)), element("em", {}, tier.toLowerCase()));
}

function candidates(plan) {
  const rows = plan.steps.map((step, i) => element("tr", {class: i === 0 ? "chosen" : null},
    element("td", {}, `${i + 1}`), element("th", {scope: "row"}, step.target),
    element("td", {class: "number", title: step.forecast_usd === null ? null : `$${step.forecast_usd}`}, usd(step.forecast_usd)),
    element("td", {}, step.reason, step.masked ? `; sent with ${step.masked.kinds} masked` : "", step.saturated ? "; it is full" : "",
            step.answer_ms === null ? "" : ` (answer in about ${millis(step.answer_ms)})`)));
  const out = plan.ruled_out.map((ruled) => element("tr", {class: "out"},
    element("td", {}, "✕"), element("th", {scope: "row"}, ruled.target), element("td", {class: "number"}, "–"),
    element("td", {}, why[ruled.why] ?? ruled.why, ruled.constraint ? `: ${ruled.constraint}` : "",
            ruled.capability !== undefined ? ` (trusted up to ${ruled.capability})` : "")));
  return element("div", {class: "scroll", tabindex: "0"}, element("table", {class: "plan"},
    element("thead", {}, element("tr", {}, element("th", {}, ""), element("th", {}, "Target"), element("th", {class: "number"}, "Forecast"), element("th", {}, "Why"))),
    element("tbody", {}, ...rows, ...out)));
}

function terms(complexity) {
  if (complexity.terms.length === 0) return null;
  const widest = Math.max(...complexity.terms.map((term) => Math.abs(term.adds)));
  return element("details", {}, element("summary", {}, "What made it look easy or hard"),
    element("ul", {class: "terms"}, ...complexity.terms.slice(0, 12).map((term) => {
      const bar = element("i", {class: term.adds > 0 ? "harder" : "easier"});
      bar.style.setProperty("--part", Math.abs(term.adds) / widest);
      return element("li", {}, element("span", {}, term.name), bar, element("b", {}, (term.adds > 0 ? "+" : "−") + Math.abs(term.adds).toFixed(2)));
    })));
}

/** `explained`: what POST /admin/v1/explain answers, or a decision's `explanation`. */
export function explanation(explained) {
  const request = explained.request, facts = [];
  facts.push(`about ${request.input_tokens_estimated} input token${request.input_tokens_estimated === 1 ? "" : "s"}`);
  if (request.tools > 0) facts.push("tools");
  if (request.images > 0) facts.push("images");
  if (request.json_schema) facts.push("JSON schema");
  if (explained.found?.length) facts.push(`found in the text: ${explained.found.join(", ")}`);
  facts.push(explained.constraints.length ? `constraints: ${explained.constraints.join(", ")}` : "no constraint applies");
  if (explained.route) facts.push(`route ${explained.route}`);
  if (explained.spilled_from) facts.push(`spilled over from ${explained.spilled_from}, which is full`);
  return [
    element("p", {class: "facts"}, complexityBar(explained.complexity.score, explained.complexity.tier), " ", facts.join(" · ")),
    explained.refused ? element("p", {class: "refused"}, explained.refused.message) : candidates(explained),
    terms(explained.complexity),
  ].filter(Boolean);
}
