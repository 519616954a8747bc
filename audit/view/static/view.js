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

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey) return;
  if (event.target.matches("input, select, textarea")) return;
  const pages = { ArrowLeft: "prev", ArrowRight: "next", Escape: "up" };
  let used = walk(event.key);
  if (!used && event.key === "/" && filters) {
    document.getElementById("words").focus();
    used = true;
  }
  if (!used && pages[event.key]) used = follow(pages[event.key]);
  if (used) event.preventDefault();
});
