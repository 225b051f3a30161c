// The form that sends a request, shows the answer as it comes, and tells the same as a command of curl.
import { el, makeCopying, prose } from "./elements.js";
import { resolve } from "./schema.js";

const FORM = "multipart/form-data";
const KEY_PLACE = "$LOCALAIK_API_KEY";
const MAX_SHOWN = 2_000_000;
let key = "";

/** A form for one operation; `stop` ends a request that is under way. */
export function makeConsole(document, operation) {
  const { method, path, told } = operation;
  const parameters = (told.parameters ?? []).map((one) => ({ one, input: fieldOf(document, one) }));
  const body = told.requestBody ? bodyOf(document, told.requestBody) : null;
  const asksForKey = (told.security ?? []).length > 0;
  const keyInput = asksForKey ? el("input", { id: "api-key", type: "password", autocomplete: "off", spellcheck: "false" }) : null;
  if (keyInput) {
    keyInput.value = key;
    keyInput.addEventListener("input", () => (key = keyInput.value));
  }

  const request = () => {
    let address = path;
    const query = new URLSearchParams();
    const headers = new Headers();
    for (const { one, input } of parameters) {
      const value = input.value.trim();
      if (one.in === "path") address = address.replace(`{${one.name}}`, encodeURIComponent(value));
      else if (value && one.in === "query") query.append(one.name, value);
      else if (value) headers.set(one.name, value);
    }
    if (keyInput?.value) headers.set("Authorization", `Bearer ${keyInput.value}`);
    if (body && body.type() !== FORM && body.isGiven()) headers.set("Content-Type", body.type());
    const search = query.toString();
    return { url: location.origin + address + (search ? `?${search}` : ""), headers, body: body?.isGiven() ? body.value() : undefined };
  };

  const command = el("pre", { tabindex: "0" }, "");
  const showCommand = () => (command.textContent = curlOf(method, request(), body));
  const copyButton = makeCopying(el("button", { type: "button" }, "Copy"), () => command.textContent);
  const answer = makeAnswer();
  const send = el("button", { type: "submit", class: "main" }, "Send");
  const stop = el("button", { type: "button", disabled: true }, "Stop");
  let running = null;
  stop.addEventListener("click", () => running?.abort());

  const form = el("form", {}, section("Request", fieldset(parameters, keyInput), body?.element, el("div", { class: "row" }, send, stop)));
  form.addEventListener("input", showCommand);
  form.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && !send.disabled) form.requestSubmit();
  });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    running = new AbortController();
    send.disabled = true;
    stop.disabled = false;
    try {
      await answer.show(method, request(), running.signal);
    } finally {
      running = null;
      send.disabled = false;
      stop.disabled = true;
    }
  });
  showCommand();
  return {
    element: el("div", {}, form, answer.element, section("The same with curl", el("div", { class: "code" }, command, copyButton))),
    stop: () => running?.abort(),
  };
}

function section(title, ...children) {
  return el("section", {}, el("h2", {}, title), ...children);
}

function fieldset(parameters, keyInput) {
  const fields = parameters.map(({ one, input }) =>
    el(
      "div",
      { class: "field" },
      el("label", { for: input.id }, el("span", { class: "mono" }, one.name), ` · ${one.in}`, one.required ? el("em", {}, " required") : null),
      input,
      one.description ? el("small", {}, ...prose(one.description)) : null,
    ),
  );
  if (keyInput) fields.unshift(el("div", { class: "field" }, el("label", { for: keyInput.id }, "API key"), keyInput, el("small", {}, "Kept by this page until it is left.")));
  return fields.length ? el("div", { class: "fields" }, ...fields) : null;
}

function fieldOf(document, parameter) {
  const schema = resolve(document, parameter.schema);
  const id = `parameter-${parameter.name}`;
  const values = schema.enum ?? (schema.type === "boolean" ? ["true", "false"] : null);
  if (values) {
    const select = el("select", { id }, el("option", { value: "" }, "–"), ...values.map((value) => el("option", { value }, String(value))));
    select.value = parameter.example === undefined ? "" : String(parameter.example);
    return select;
  }
  const input = el("input", { id, type: "text", autocomplete: "off", spellcheck: "false", required: parameter.required });
  if (parameter.in === "path") input.value = parameter.example ?? "";
  else if (parameter.example !== undefined) input.placeholder = String(parameter.example);
  return input;
}

/** The part of the form for the body: JSON as text, a form as fields, other bytes as a file. */
function bodyOf(document, requestBody) {
  const types = Object.keys(requestBody.content);
  const choice = el("select", { id: "body-type" }, ...types.map((type) => el("option", { value: type }, type)));
  const editors = Object.fromEntries(types.map((type) => [type, editorOf(document, type, requestBody.content[type])]));
  const show = () => types.forEach((type) => (editors[type].element.hidden = type !== choice.value));
  choice.addEventListener("change", show);
  show();
  const chooser = types.length > 1 ? el("div", { class: "field" }, el("label", { for: "body-type" }, "Type of the body"), choice) : null;
  const current = () => editors[choice.value];
  return {
    element: el("div", { class: "body" }, chooser, ...Object.values(editors).map((editor) => editor.element)),
    type: () => current().type(),
    value: () => current().value(),
    isGiven: () => current().isGiven(),
    words: () => current().words(),
  };
}

function editorOf(document, type, content) {
  if (type === FORM) return formEditor(document, content);
  if (type.includes("json")) return textEditor(type, content.example);
  return fileEditor();
}

function textEditor(type, example) {
  const area = el("textarea", { id: "body", spellcheck: "false", autocomplete: "off" });
  area.value = example === undefined ? "" : JSON.stringify(example, null, 2);
  area.rows = Math.min(24, area.value.split("\n").length + 1);
  return {
    element: el("div", {}, el("label", { for: "body", class: "label" }, `Body, ${type}`), area),
    type: () => type,
    value: () => area.value,
    isGiven: () => area.value.trim() !== "",
    words: () => ["-d", area.value],
  };
}

function fileEditor() {
  const input = el("input", { id: "body-file", type: "file" });
  return {
    element: el("div", { class: "field" }, el("label", { for: "body-file" }, "File"), input),
    type: () => input.files[0]?.type || "application/octet-stream",
    value: () => input.files[0],
    isGiven: () => input.files.length > 0,
    words: () => ["--data-binary", `@${input.files[0].name}`],
  };
}

function formEditor(document, content) {
  const schema = resolve(document, content.schema);
  const fields = Object.entries(schema.properties ?? {}).map(([name, one]) => {
    const isFile = Object.keys(one).length === 0;
    const input = el("input", { id: `form-${name}`, type: isFile ? "file" : "text", autocomplete: "off" });
    if (!isFile) input.value = content.example?.[name] ?? "";
    return { name, isFile, input };
  });
  const given = () => fields.filter(({ isFile, input }) => (isFile ? input.files.length : input.value));
  return {
    element: el("div", { class: "fields" }, ...fields.map(({ name, input }) => el("div", { class: "field" }, el("label", { for: input.id, class: "mono" }, name), input))),
    type: () => FORM,
    value: () => {
      const form = new FormData();
      for (const { name, isFile, input } of given()) form.append(name, isFile ? input.files[0] : input.value);
      return form;
    },
    isGiven: () => true,
    words: () => given().flatMap(({ name, isFile, input }) => ["-F", `${name}=${isFile ? `@${input.files[0].name}` : input.value}`]),
  };
}

function quoted(word) {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

/** The command that sends the same request from a shell; a key stands in it by the name of a variable. */
export function curlOf(method, request, body) {
  const lines = [`curl -N${method === "GET" ? "" : ` -X ${method}`} ${quoted(request.url)}`];
  for (const [name, value] of request.headers) {
    lines.push(name === "authorization" ? `-H "Authorization: Bearer ${KEY_PLACE}"` : `-H ${quoted(`${name}: ${value}`)}`);
  }
  if (body?.isGiven()) {
    const words = body.words();
    for (let place = 0; place < words.length; place += 2) lines.push(`${words[place]} ${quoted(words[place + 1])}`);
  }
  return lines.join(" \\\n  ");
}

/** The part of the page that shows an answer: status, head, and the body as it comes. */
function makeAnswer() {
  const status = el("span", { class: "badge" }, "");
  const figures = el("span", { class: "soft small", role: "status" }, "");
  const head = el("pre", { tabindex: "0" }, "");
  const text = el("pre", { tabindex: "0" }, "");
  const element = section("Answer", el("div", { class: "row" }, status, figures), el("details", {}, el("summary", {}, "Head"), head), text);
  element.className = "answer";
  element.hidden = true;

  async function show(method, request, signal) {
    const begun = performance.now();
    const told = (more) => (figures.textContent = `${Math.round(performance.now() - begun)} ms${more}`);
    element.hidden = false;
    status.className = "badge";
    status.textContent = "…";
    figures.textContent = head.textContent = text.textContent = "";
    try {
      const answer = await fetch(request.url, { method, headers: request.headers, body: request.body, signal, cache: "no-store" });
      status.textContent = `${answer.status} ${answer.statusText}`.trim();
      status.classList.add(answer.ok ? "good" : "bad");
      head.textContent = [...answer.headers].map(([name, value]) => `${name}: ${value}`).join("\n");
      await read(answer, text, told);
    } catch (error) {
      if (status.textContent === "…") status.textContent = signal.aborted ? "stopped" : "no answer";
      if (!status.classList.contains("good") && !signal.aborted) status.classList.add("bad");
      told(signal.aborted ? ", stopped" : `, ${error.message}`);
    }
  }
  return { element, show };
}

async function read(answer, place, told) {
  const type = answer.headers.get("Content-Type") ?? "";
  if (!/json|text|xml|javascript|^$/.test(type)) {
    const bytes = (await answer.arrayBuffer()).byteLength;
    place.textContent = `${bytes} bytes of ${type}`;
    return told(`, ${bytes} bytes`);
  }
  const isEvents = type.startsWith("text/event-stream");
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let shown = "";
  let rest = "";
  let events = 0;
  const tell = () => told(isEvents ? `, ${events} events` : `, ${shown.length} characters`);
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    if (shown.length < MAX_SHOWN) place.append(value);
    shown += value;
    const lines = (rest + value).split(/\r?\n/);
    rest = lines.pop();
    events += lines.filter((line) => line.startsWith("data:")).length;
    place.scrollTop = place.scrollHeight;
    tell();
  }
  if (type.includes("json") && shown.length < MAX_SHOWN) {
    try {
      place.textContent = JSON.stringify(JSON.parse(shown), null, 2);
      place.scrollTop = 0;
    } catch {
      // Half an answer is shown as it came.
    }
  }
  tell();
}
