// What all pages need. Text from the server becomes text nodes, never markup.

/** An element with attributes (functions are listeners, null and false are left out) and children. */
export function el(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(key, value);
    else if (value !== null && value !== undefined && value !== false) element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

/** A text whose words in backticks are code. */
export function prose(text) {
  return text.split("`").map((part, place) => (place % 2 ? el("code", {}, part) : part));
}

/** Copies a text; where the browser lends no clipboard (plain HTTP from afar), by an invisible field. */
async function copy(text) {
  if (navigator.clipboard) {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      // Refused: the older way may still work.
    }
  }
  const field = el("textarea", { readonly: true, "aria-hidden": "true", class: "skip" });
  field.value = text;
  document.body.append(field);
  field.select();
  const done = document.execCommand("copy");
  field.remove();
  return done;
}

/** Makes a button copy what `text` gives, and say so. */
export function makeCopying(button, text) {
  const said = button.textContent;
  button.addEventListener("click", async () => {
    button.textContent = (await copy(text())) ? "Copied" : "Not copied";
    setTimeout(() => (button.textContent = said), 1500);
  });
  return button;
}

/** How the server is, as `/health` tells; null where nobody answers. */
export async function health() {
  try {
    const answer = await fetch("/health", { headers: { Accept: "application/json" } });
    return await answer.json();
  } catch {
    return null;
  }
}
