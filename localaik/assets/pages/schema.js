// JSON Schemas as trees that open where the reader wants to know more.
import { el, prose } from "./elements.js";

/** What a reference of the document stands for; any other schema as it is. */
export function resolve(document, schema) {
  let found = schema;
  while (found?.$ref) found = found.$ref.replace("#/", "").split("/").reduce((part, key) => part[key], document);
  return found ?? {};
}

const branches = (schema) => schema.anyOf ?? schema.oneOf ?? [];
const isNull = (schema) => schema.type === "null";

/** A schema in few words, such as `array of object`. */
export function kindOf(document, schema, depth = 0) {
  if (schema.$ref && depth > 0) return schema.$ref.split("/").pop();
  const found = resolve(document, schema);
  if (found.const !== undefined) return JSON.stringify(found.const);
  if (found.enum) return found.enum.length > 8 ? `one of ${found.enum.length} words` : found.enum.map((one) => JSON.stringify(one)).join(" | ");
  if (branches(found).length) {
    const names = branches(found).map((one) => kindOf(document, one, depth + 1));
    return [...new Set(names)].join(" | ");
  }
  if (found.type === "array") return `array of ${kindOf(document, found.items ?? {}, depth + 1)}`;
  return [found.type ?? "any"].flat().join(" | ");
}

const LIMITS = {
  minimum: "at least",
  maximum: "at most",
  minLength: "characters, at least",
  maxLength: "characters, at most",
  minItems: "items, at least",
  maxItems: "items, at most",
  pattern: "pattern",
};

// Limits of 64 bits tell readers nothing, and numbers of this language can not hold them.
const isHuge = (limit) => typeof limit === "number" && Math.abs(limit) > Number.MAX_SAFE_INTEGER;

function limitsOf(schema) {
  const parts = [schema, ...branches(schema)];
  return parts.flatMap((part) => Object.entries(LIMITS).filter(([key]) => part[key] !== undefined && !isHuge(part[key])).map(([key, said]) => `${said} ${part[key]}`));
}

/** The schemas behind a schema that have something to open: objects with fields. */
function inner(document, schema) {
  const found = resolve(document, schema);
  if (found.properties) return [{ name: schema.$ref?.split("/").pop() ?? "", schema: found }];
  if (found.items) return inner(document, found.items);
  return branches(found).filter((one) => !isNull(one)).flatMap((one) => inner(document, one));
}

/** A tree of the fields of a schema. What lies deeper is made when it is opened, as types may hold themselves. */
export function schemaTree(document, schema) {
  const objects = inner(document, schema);
  if (!objects.length) return el("p", { class: "tree soft small" }, kindOf(document, schema));
  const trees = objects.map(({ name, schema: one }) => {
    const rows = Object.entries(one.properties).map(([field, value]) => row(document, field, value, one.required ?? []));
    const title = objects.length > 1 && name ? el("p", { class: "label mono" }, name) : null;
    return el("div", {}, title, el("div", { class: "tree" }, ...rows));
  });
  return trees.length === 1 ? trees[0] : el("div", {}, ...trees);
}

function row(document, field, schema, required) {
  const found = resolve(document, schema);
  const head = [
    el("span", { class: "name" }, field),
    el("span", { class: "kind" }, kindOf(document, schema)),
    required.includes(field) ? el("span", { class: "must" }, "required") : null,
  ];
  const about = [found.description, ...limitsOf(found)].filter(Boolean).join(" · ");
  const text = about ? el("p", {}, ...prose(about)) : null;
  if (!inner(document, schema).length) return el("div", { class: "node" }, ...head, text);
  const details = el("details", {}, el("summary", {}, ...head));
  details.addEventListener("toggle", () => details.open && details.children.length === 1 && details.append(schemaTree(document, schema)));
  return el("div", { class: "node" }, details, text);
}
