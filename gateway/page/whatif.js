// What if: a copy of the rules, edited here, checked and tried on recorded traffic by the gateway. The copy is the tab's; nothing is saved.

import {byId, element, setText} from "./dom.js";
import {readEvents} from "./events.js";
import {count, percent} from "./figures.js";
import {report} from "./report.js";

const steps = {reading: "reading the ledger", simulating: "deciding and serving every request again"};
let start = null, running = null, checked = 0;

const rules = () => byId("rules");

/** Line numbers; those with something wrong stand out. */
function drawGutter(wrong = new Set()) {
  const lines = rules().value.split("\n").length;
  byId("gutter").replaceChildren(...Array.from({length: lines}, (_, i) => element("span", {class: wrong.has(i + 1) ? "wrong" : null}, `${i + 1}\n`)));
  byId("gutter").scrollTop = rules().scrollTop;
}

function goTo(line, column) {
  const box = rules(), lines = box.value.split("\n");
  const at = lines.slice(0, line - 1).reduce((sum, each) => sum + each.length + 1, 0) + Math.max(0, column - 1);
  box.focus();
  box.setSelectionRange(at, at + Math.max(0, (lines[line - 1] ?? "").length - column + 1));
  box.scrollTop = Math.max(0, (line - 4) * parseFloat(getComputedStyle(box).lineHeight));
}

function showFindings(findings, remarks, good) {
  const placed = (each) => (each.line ? `line ${each.line}${each.column ? `, column ${each.column}` : ""}: ` : "");
  const wrong = findings.map((each) => element("li", {class: "wrong"},
    each.line ? element("button", {type: "button", class: "quiet", onclick: () => goTo(each.line, each.column ?? 1)}, placed(each) + each.message) : each.message));
  const notes = remarks.map((each) => element("li", {class: "remark"}, each));
  byId("rules-found").replaceChildren(...(wrong.length || !good ? [] : [element("li", {class: "fine"}, good)]), ...wrong, ...notes);
  drawGutter(new Set(findings.map((each) => each.line)));
}

const refusal = (message) => element("p", {class: "refused"}, message);
const gone = (failed) => `The gateway does not answer: ${failed.message}`;

function post(path, body, signal, accept) {
  return fetch(path, {method: "POST", signal, headers: {"content-type": "application/json", accept}, body: JSON.stringify(body)});
}

async function check() {
  const mine = ++checked;
  try {
    const answer = await post("/admin/v1/check", {config: rules().value}, undefined, "application/json"), said = await answer.json();
    if (mine !== checked) return;
    if (!answer.ok) showFindings([{message: said.error.message}], []);
    else showFindings(said.errors, said.remarks, "Nothing is wrong with it.");
  } catch (failed) {
    showFindings([{message: gone(failed)}], []);
  }
}

function setRunning(now) {
  running = now;
  byId("running").hidden = now === null;
  byId("progress").removeAttribute("value");
  setText(byId("step"), now ? "starting" : "");
  setText(byId("simulate"), now ? "Stop" : "Simulate");
}

function noteProgress({step, share}) {
  byId("progress").value = share;
  setText(byId("step"), `${steps[step] ?? step}, ${percent(share)}`);
}

function showError(error) {
  if (error.findings?.length) {
    showFindings(error.findings, []);
    byId("report").replaceChildren(refusal("It is not valid; see above."));
  } else if (error.code === "no_requests") {
    byId("report").replaceChildren(element("p", {class: "empty"}, "No request was recorded in this time, so there is nothing to try the rules on. Send some, or take a longer time."));
  } else {
    byId("report").replaceChildren(refusal(error.message));
  }
}

async function simulate() {
  if (running) {
    running.abort();
    return;
  }
  const scale = Number(byId("scale").value.replace(/x$/i, ""));
  if (!(scale >= 0.01 && scale <= 1000)) return byId("report").replaceChildren(refusal("So many times the traffic: a number from 0.01 to 1000."));
  setRunning(new AbortController());
  showFindings([], []);
  byId("report").replaceChildren();
  let done = false;
  try {
    const answer = await post("/admin/v1/simulate", {config: rules().value, since: byId("since").value, scale}, running.signal, "text/event-stream");
    if (answer.headers.get("content-type")?.startsWith("text/event-stream")) {
      await readEvents(answer.body, (name, data) => {
        const said = JSON.parse(data);
        if (name === "progress") return noteProgress(said);
        done = true;
        if (name === "result") byId("report").replaceChildren(...report(said));
        else showError(said.error);
      });
      if (!done) byId("report").replaceChildren(refusal("The connection broke off before the simulation was done."));
      else byId("report").focus({preventScroll: true});
    } else showError((await answer.json()).error);
  } catch (failed) {
    byId("report").replaceChildren(failed.name === "AbortError" ? element("p", {class: "hint"}, "Stopped.") : refusal(gone(failed)));
  }
  setRunning(null);
}

async function load() {
  if (start !== null) return;
  try {
    const answer = await fetch("/admin/v1/config"), said = await answer.json();
    start = said.text ?? "";
    byId("what-if-note").hidden = said.text !== null;
    if (said.text === null) setText(byId("what-if-note"), `The configuration in force is not shown: ${said.why_not}. Paste one to try it.`);
    rules().value = start;
    showFindings([], []);
  } catch (failed) {
    byId("what-if-note").hidden = false;
    setText(byId("what-if-note"), gone(failed));
  }
}

function reset() {
  start = null;
  byId("report").replaceChildren();
  load();
}

function download() {
  const link = element("a", {href: URL.createObjectURL(new Blob([rules().value], {type: "application/yaml"})), download: "tollgate.yaml"});
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  const kept = (rules().value.match(/\$\{TOLLGATE_KEPT_\d+:\?/g) ?? []).length;
  if (kept) showFindings([], [`${count(kept)} ${kept === 1 ? "secret is" : "secrets are"} not in the download: put the value back where TOLLGATE_KEPT_ stands, or set that variable. Until then the file is refused.`]);
}

export function begin() {
  byId("what-if").addEventListener("toggle", () => byId("what-if").open && load());
  rules().addEventListener("input", () => drawGutter());
  rules().addEventListener("scroll", () => { byId("gutter").scrollTop = rules().scrollTop; });
  rules().addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) simulate();
  });
  for (const [id, act] of [["simulate", simulate], ["check", check], ["reset", reset], ["download", download]]) byId(id).addEventListener("click", act);
}
