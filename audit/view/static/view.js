"use strict";
// The wall and the image's page work without this: it only saves keys and clicks.

const filters = document.getElementById("filters");
const KEPT = "focused";

if (filters) {
  // A choice applies at once; the control that was used has the focus again afterwards.
  document.addEventListener("change", (event) => {
    if (event.target.tagName !== "SELECT" || event.target.form !== filters) return;
    sessionStorage.setItem(KEPT, event.target.id);
    filters.requestSubmit();
  });
  filters.addEventListener("submit", () => {
    for (const field of filters.elements) {
      const usual = field.name === "size" && field.value === "60";
      if (field.name && (!field.value || usual)) field.disabled = true; // short addresses
    }
  });
  window.addEventListener("pageshow", () => {
    for (const field of filters.elements) field.disabled = false;
  });
  const last = document.getElementById(sessionStorage.getItem(KEPT) || "");
  sessionStorage.removeItem(KEPT);
  if (last) last.focus({ preventScroll: true });
}

function columns(links) {
  const top = links[0].getBoundingClientRect().top;
  const other = links.findIndex((a) => a.getBoundingClientRect().top > top + 1);
  return other < 0 ? links.length : other;
}

/** Arrow keys go from card to card; true where the key was used. */
function walk(key) {
  const links = [...document.querySelectorAll("#cards a")];
  const here = links.indexOf(document.activeElement);
  if (here < 0) return false;
  const row = columns(links);
  const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -row, ArrowDown: row }[key];
  const next = step === undefined ? undefined : links[here + step];
  if (next) next.focus();
  return step !== undefined;
}

function follow(rel) {
  const link = document.querySelector(`a[rel="${rel}"]`);
  if (link) link.click();
  return Boolean(link);
}

/** The keys of these pages, in a window that Escape closes. */
function help() {
  const keys = [["\u2190 \u2192", "page before, page after; on an image, the next card"],
    ["\u2191 \u2193", "card above, card below"], ["/", "search the prompts"], ["Esc", "back to the list"],
    ...[...document.querySelectorAll("nav [data-key]")].map((a) => [a.dataset.key, a.textContent])];
  const list = document.createElement("dl");
  for (const [key, words] of keys) {
    const name = document.createElement("dt");
    const mark = document.createElement("kbd");
    mark.textContent = key;
    name.append(mark);
    const text = document.createElement("dd");
    text.textContent = words;
    list.append(name, text);
  }
  const window = document.createElement("dialog");
  window.className = "keys";
  window.setAttribute("aria-label", "Keys");
  const close = document.createElement("button");
  close.type = "button";
  close.textContent = "Close";
  close.addEventListener("click", () => window.close());
  window.addEventListener("close", () => window.remove());
  window.append(list, close);
  document.body.append(window);
  window.showModal();
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey) return;
  if (event.target.matches("input, select, textarea") || document.querySelector("dialog[open]")) return;
  const pages = { ArrowLeft: "prev", ArrowRight: "next", Escape: "up" };
  let used = walk(event.key);
  if (!used && event.key === "/" && filters) {
    document.getElementById("words").focus();
    used = true;
  }
  if (!used && event.key === "?") { help(); used = true; }
  const view = /^[a-z]$/.test(event.key) && document.querySelector(`nav [data-key="${event.key}"]`);
  if (!used && view) { view.click(); used = true; }
  if (!used && pages[event.key]) used = follow(pages[event.key]);
  if (used) event.preventDefault();
});
