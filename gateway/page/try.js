// The box: what is typed is explained as it is typed, and sent only by its button, through the data port as any client would.

import {byId, element, setText} from "./dom.js";
import {readEvents} from "./events.js";
import {explanation} from "./explain.js";
import {count, usd} from "./figures.js";

const quiet = 250;     // milliseconds without a key before the gateway is asked
let timer = 0, asked = 0, sending = null;

/** The model list and the key field, when the gateway's configuration changes. */
export function noteAccess(access) {
  const select = byId("model"), chosen = select.value;
  const names = access.models.length ? access.models : ["auto"];
  if ([...select.options].map((option) => option.value).join("\n") !== names.join("\n")) {
    select.replaceChildren(...names.map((name) => element("option", {value: name}, name)));
    if (names.includes(chosen)) select.value = chosen;
  }
  byId("key-field").hidden = !access.needs_key;
}

function headersOf(line) {
  const headers = {};
  for (const part of line.split(/[;\n]/)) {
    const colon = part.indexOf(":");
    if (colon > 0) headers[part.slice(0, colon).trim()] = part.slice(colon + 1).trim();
  }
  return headers;
}

function ask(path, more, signal) {
  const request = {model: byId("model").value, messages: [{role: "user", content: byId("prompt").value}], ...more};
  const headers = {"content-type": "application/json"}, key = byId("key").value.trim();
  if (key) headers["x-tollgate-api-key"] = key;
  return fetch(path, {method: "POST", headers, signal, body: JSON.stringify({request, headers: headersOf(byId("header").value)})});
}

const refusal = (message) => element("p", {class: "refused"}, message);

async function explain() {
  const mine = ++asked, host = byId("verdict");
  byId("send").disabled = byId("prompt").value.trim() === "" || sending !== null;
  if (byId("prompt").value.trim() === "") return host.replaceChildren();
  try {
    const answer = await ask("/admin/v1/explain"), said = await answer.json();
    if (mine !== asked) return;         // something else has been typed meanwhile
    if (!answer.ok) return host.replaceChildren(refusal(said.error.message));
    const first = said.steps?.[0];
    const sentence = first ? element("p", {class: "sentence"}, "It would go to ", element("b", {}, first.target), `: ${first.reason}.`)
                           : element("p", {class: "sentence"}, "It would be refused.");
    host.replaceChildren(sentence, ...explanation(said));
  } catch (failed) {
    if (mine === asked) host.replaceChildren(refusal(`The gateway does not answer: ${failed.message}`));
  }
}

function soon() {
  clearTimeout(timer);
  timer = setTimeout(explain, quiet);
  byId("send").disabled = byId("prompt").value.trim() === "" || sending !== null;
}

function tokensOf(usage) {
  return usage ? `${count(usage.prompt_tokens)} in, ${count(usage.completion_tokens)} out` : "";
}

async function showAnswer(answer, host) {
  const text = element("p", {class: "text"}), foot = element("p", {class: "hint"}), said = (name) => answer.headers.get(`x-tollgate-${name}`);
  host.replaceChildren(element("p", {class: "sentence"}, "Answered by ", element("b", {}, said("target") ?? "?"), `: ${said("reason") ?? ""}`), text, foot);
  let usage = null, failed = null;
  await readEvents(answer.body, (_, data) => {
    if (data === "[DONE]") return;
    const event = JSON.parse(data);
    if (event.error) failed = event.error.message;
    usage = event.usage ?? usage;
    text.append(event.choices?.[0]?.delta?.content ?? "");
  });
  if (failed) host.append(refusal(failed));
  setText(foot, usage ? `cost ${usage.cost === undefined || usage.cost === null ? "unknown" : usd(String(usage.cost))}, tokens ${tokensOf(usage)}, ${said("request-id") ?? ""}` : "");
}

async function send(event) {
  event.preventDefault();
  if (sending) {
    sending.abort();
    return;
  }
  if (byId("prompt").value.trim() === "") return;
  const host = byId("answer"), button = byId("send");
  sending = new AbortController();
  setText(button, "Stop");
  host.hidden = false;
  host.replaceChildren(element("p", {class: "hint"}, "sent …"));
  try {
    const answer = await ask("/admin/v1/send", {stream: true, usage: {include: true}}, sending.signal);
    if (answer.ok) await showAnswer(answer, host);
    else host.replaceChildren(refusal((await answer.json()).error.message));
  } catch (failed) {
    host.append(refusal(failed.name === "AbortError" ? "Stopped. What was generated until then is charged." : `The gateway does not answer: ${failed.message}`));
  }
  sending = null;
  setText(button, "Send it");
  soon();
}

export function start() {
  for (const id of ["prompt", "model", "header", "key"]) byId(id).addEventListener("input", soon);
  byId("try").addEventListener("submit", send);
  byId("prompt").addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) byId("try").requestSubmit();
  });
}
