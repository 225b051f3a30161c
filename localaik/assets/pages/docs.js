// The pages of the API: a list of all operations, and one of them at a time, read from the server's own document.
import { el, prose } from "./elements.js";
import { makeConsole } from "./console.js";
import { resolve, schemaTree } from "./schema.js";

const byId = (id) => document.getElementById(id);
let running = null;

function operationsOf(told) {
  return Object.entries(told.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, one]) => ({ id: one.operationId, method: method.toUpperCase(), path, told: one, tag: one.tags[0] })),
  );
}

function badge(method) {
  return el("span", { class: `method ${method.toLowerCase()}` }, method);
}

function listOf(told, operations) {
  const groups = told.tags.map(({ name }) => {
    const mine = operations.filter((operation) => operation.tag === name);
    const links = mine.map((operation) => {
      operation.link = el("a", { href: `#${operation.id}` }, badge(operation.method), operation.told.summary, el("small", {}, operation.path));
      operation.item = el("li", {}, operation.link);
      return operation.item;
    });
    const isServed = mine.some((operation) => operation.told["x-localaik-served"] !== false);
    const group = el("details", { open: isServed }, el("summary", {}, name), el("ul", {}, ...links));
    return { group, operations: mine, isServed };
  });
  return groups.sort((one, other) => other.isServed - one.isServed);
}

function search(groups, text) {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  let count = 0;
  for (const { group, operations, isServed } of groups) {
    let shown = 0;
    for (const operation of operations) {
      const where = `${operation.method} ${operation.path} ${operation.told.summary} ${operation.tag}`.toLowerCase();
      const fits = words.every((word) => where.includes(word));
      operation.item.hidden = !fits;
      shown += fits ? 1 : 0;
    }
    group.hidden = shown === 0;
    group.open = words.length > 0 || isServed;
    count += shown;
  }
  byId("found").textContent = words.length ? `${count} found` : "";
}

function details(title, ...children) {
  return el("details", {}, el("summary", {}, title), ...children);
}

function show(told, operations) {
  const wanted = decodeURIComponent(location.hash.slice(1));
  const operation = operations.find(({ id }) => id === wanted) ?? operations[0];
  running?.stop();
  for (const { link, id } of operations) {
    if (id === operation.id) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  operation.link.closest("details").open = true;
  operation.link.scrollIntoView({ block: "nearest" });
  document.title = `${operation.told.summary} · localaik`;
  running = makeConsole(told, operation);
  byId("page").replaceChildren(...viewOf(told, operation), running.element, ...schemasOf(told, operation));
}

function viewOf(told, operation) {
  const isServed = operation.told["x-localaik-served"] !== false;
  return [
    el(
      "section",
      {},
      el("p", { class: "soft small" }, operation.tag),
      el("h1", {}, operation.told.summary),
      el("p", { class: "target" }, badge(operation.method), el("code", {}, operation.path)),
      operation.told.description ? el("p", { class: isServed ? "lead" : "lead note" }, ...prose(operation.told.description)) : null,
    ),
  ];
}

function schemasOf(told, operation) {
  const bodies = Object.entries(operation.told.requestBody?.content ?? {}).map(([type, { schema }]) => details(`Body, ${type}`, schemaTree(told, schema)));
  const answers = Object.entries(operation.told.responses).flatMap(([status, one]) => {
    const found = resolve(told, one);
    return Object.entries(found.content ?? {}).map(([type, content]) => {
      const event = content["x-localaik-event"];
      return details(`${status}, ${type}${event ? ": data of an event" : ""}`, schemaTree(told, event ?? content.schema));
    });
  });
  const sections = [];
  if (bodies.length) sections.push(el("section", {}, el("h2", {}, "What is taken"), ...bodies));
  sections.push(el("section", {}, el("h2", {}, "What is answered"), ...answers));
  return sections;
}

async function start() {
  const answer = await fetch("/openapi.json");
  const told = await answer.json();
  const operations = operationsOf(told);
  const groups = listOf(told, operations);
  byId("list").append(...groups.map(({ group }) => group));
  const input = byId("search");
  input.addEventListener("input", () => search(groups, input.value));
  document.addEventListener("keydown", (event) => {
    if (event.key !== "/" || /^(INPUT|TEXTAREA|SELECT)$/.test(document.activeElement.tagName)) return;
    event.preventDefault();
    byId("side").classList.add("shown");
    input.focus();
  });
  const opener = byId("open-list");
  const toggle = (isOpen) => {
    byId("side").classList.toggle("shown", isOpen);
    opener.setAttribute("aria-expanded", String(isOpen));
  };
  opener.addEventListener("click", () => toggle(!byId("side").classList.contains("shown")));
  addEventListener("hashchange", () => {
    toggle(false);
    show(told, operations);
    byId("page").focus({ preventScroll: true });
    scrollTo(0, 0);
  });
  show(told, operations);
}

start().catch((error) => (byId("page").textContent = `The document can't be shown: ${error.message}`));
