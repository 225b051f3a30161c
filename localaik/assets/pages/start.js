// The start page: how the server is, and snippets with its own address.
import { el, health, makeCopying } from "./elements.js";

const CHECK_MS = 5000;
const byId = (id) => document.getElementById(id);
const WORDS = {
  loading: "Loading the model",
  stopping: "Stopping",
  timeout: "The engine does not answer in time",
  unreachable: "The engine does not answer",
};

function fill(slot, value) {
  for (const place of document.querySelectorAll(`[data-slot="${slot}"]`)) place.textContent = value;
}

function say(id, text) {
  byId(id).textContent = text ?? "–";
}

function showHealth(told) {
  const isGood = told?.status === "ok";
  const engine = told?.engine ?? {};
  byId("dot").className = `dot ${isGood ? "good" : "bad"}`;
  const word = told === null ? "Not reachable" : isGood ? "Ready" : (WORDS[told.reason] ?? "Not ready");
  if (byId("status").textContent !== word) byId("status").textContent = word;
  const detail = isGood ? "" : (engine.detail ?? "");
  byId("reason").hidden = !detail;
  say("reason", detail);
  if (told === null) return;
  say("model", told.model);
  say("engine", told.slots ? `${engine.name}, ${told.slots} slots` : engine.name);
  say("context", told.context_tokens ? `${told.context_tokens.toLocaleString("en")} tokens` : undefined);
  if (told.model) fill("model", told.model);
}

async function showStart() {
  const answer = await fetch("/", { headers: { Accept: "application/json" } });
  const told = await answer.json();
  say("version", told.version);
  say("key", told.asks_for_key ? "asked for" : "any will do");
  fill("key", told.asks_for_key ? "YOUR_KEY" : "any");
  if (told.model) fill("model", told.model);
}

function makeTabs() {
  const tabs = byId("tabs");
  const snippets = [...document.querySelectorAll(".snippet")];
  const buttons = snippets.map((snippet) => {
    const button = el("button", { type: "button", role: "tab", id: `tab-${snippet.id}`, "aria-controls": snippet.id }, snippet.dataset.tab);
    snippet.setAttribute("role", "tabpanel");
    snippet.setAttribute("aria-labelledby", button.id);
    return button;
  });
  const choose = (chosen) => {
    buttons.forEach((button, place) => {
      button.setAttribute("aria-selected", String(place === chosen));
      button.tabIndex = place === chosen ? 0 : -1;
      snippets[place].hidden = place !== chosen;
    });
  };
  buttons.forEach((button, place) => button.addEventListener("click", () => choose(place)));
  tabs.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const next = (buttons.indexOf(document.activeElement) + step + buttons.length) % buttons.length;
    choose(next);
    buttons[next].focus();
  });
  tabs.append(...buttons);
  tabs.hidden = false;
  choose(0);
}

async function watch() {
  if (!document.hidden) showHealth(await health());
  setTimeout(watch, CHECK_MS);
}

fill("url", location.origin);
makeTabs();
for (const button of document.querySelectorAll("[data-copy]")) {
  makeCopying(button, () => byId(button.dataset.copy).textContent.trimEnd());
  button.hidden = false;
}
showStart().catch(() => {});
watch();
