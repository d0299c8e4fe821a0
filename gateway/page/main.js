// The live page of the gateway: one stream of events, drawn as it comes. It reads; only the Send button makes anything happen (Simulate asks).

import {draw} from "./cards.js";
import * as decisions from "./decisions.js";
import {byId, setAttribute, setText} from "./dom.js";
import * as advice from "./advice.js";
import * as typing from "./try.js";
import * as whatIf from "./whatif.js";

const silence = 5000;      // milliseconds without an event after which the figures count as old
let last = 0, shown = [];

function link(state, text) {
  setAttribute(byId("link"), "data-state", state);
  setText(byId("link"), text);
}

function notice(text) {
  byId("notice").hidden = text === "";
  setText(byId("notice"), text);
}

function noteOverview(overview) {
  last = Date.now();
  link(overview.draining ? "warn" : "live", overview.draining ? "draining" : "live");
  const { writable, error } = overview.ledger;
  notice(!writable ? `The ledger cannot be written, so new requests are refused: ${error}` : error ? `The ledger is away; requests are served and wait to be written: ${error}` : "");
  decisions.noteTargets(overview.targets);
  typing.noteAccess(overview.access);
  draw(overview);
  shown = shown.filter((one) => one.at > last - 5000);
  decisions.saySampled(Math.round(shown.reduce((sum, one) => sum + one.count, 0) / 5), overview.requests.per_second);
}

function listen() {
  const events = new EventSource("/admin/v1/events");
  let first = true;
  events.addEventListener("overview", (event) => noteOverview(JSON.parse(event.data)));
  events.addEventListener("decisions", (event) => {
    const news = JSON.parse(event.data);
    if (!first) shown.push({at: Date.now(), count: news.length});
    first = false;
    decisions.addDecisions(news);
  });
  events.addEventListener("error", () => {
    link("lost", "connection lost");
    if (events.readyState === EventSource.CLOSED) setTimeout(listen, 2000);
  });
}

function watchSilence() {
  const old = Date.now() - last;
  if (last && old > silence) link("lost", `no news for ${Math.round(old / 1000)} s`);
}

function theme() {
  const choose = (name) => {
    setAttribute(document.documentElement, "data-theme", name === "auto" ? null : name);
    localStorage.setItem("theme", name);
  };
  const known = localStorage.getItem("theme");
  for (const choice of document.querySelectorAll("input[name=theme]")) {
    choice.checked = choice.value === (known ?? "auto");
    choice.addEventListener("change", () => choose(choice.value));
  }
  if (known) choose(known);
}

function keys(event) {
  if (event.target.closest("input, textarea, select, dialog") || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "/") {
    event.preventDefault();
    byId("prompt").focus();
  } else if (event.key === "p") decisions.togglePause();
}

theme();
decisions.start();
typing.start();
whatIf.begin();
advice.begin();
document.addEventListener("keydown", keys);
listen();
setInterval(watchSilence, 1000);
