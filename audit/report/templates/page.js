"use strict";
// The page is complete without this. It adds sorting and filtering, a choice of parts, large
// images, and citations. It asks for nothing, builds no markup from texts, and runs no text.
(() => {
  const words = JSON.parse(document.getElementById("words").textContent);
  const say = (key, values = {}) =>
    words[key].replace(/\{(\w+)\}/g, (whole, name) => (name in values ? values[name] : whole));
  const all = (selector, inside = document) => [...inside.querySelectorAll(selector)];

  /** An element with properties and children; texts stay texts. */
  function made(tag, properties = {}, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(properties)) {
      if (name in element) element[name] = value;
      else element.setAttribute(name, value);
    }
    element.append(...children);
    return element;
  }

  const button = (text, act, properties = {}) => {
    const element = made("button", { type: "button", ...properties }, text);
    element.addEventListener("click", act);
    return element;
  };

  // What is hidden, and why: a row that is filtered away may belong to a subject that is chosen.
  const reasons = new WeakMap();

  function hide(element, reason, hidden) {
    const known = reasons.get(element) ?? new Set();
    known[hidden ? "add" : "delete"](reason);
    reasons.set(element, known);
    element.hidden = known.size > 0;
  }

  // Tables
  const plain = (cell) => (cell ? cell.textContent : "").replace(/[\s\u00a0\u202f]+/g, " ").trim();
  const order = new Intl.Collator(document.documentElement.lang || "en", { numeric: true });

  /** The first number of a text, in any of the ways in which the page writes one; NaN if none. */
  function number(text) {
    const tidy = text.replace(/\u2212/g, "-").replace(/(\d) (?=\d{3}(?!\d))/g, "$1");
    const found = /^[^\d\p{L}]*?([+-]?(?:\d+\.?\d*|\.\d+))/u.exec(tidy);
    return found ? Number(found[1]) : NaN;
  }

  function sorted(rows, column, down) {
    const texts = new Map(rows.map((row) => [row, plain(row.cells[column])]));
    const known = [...texts.values()].filter((t) => t && t !== "\u2013");
    const numeric = known.filter((t) => !Number.isNaN(number(t))).length * 2 > known.length;
    const sign = down ? -1 : 1;
    return [...rows].sort((a, b) => {
      const [s, t] = [texts.get(a), texts.get(b)];
      if (!numeric) return sign * order.compare(s, t);
      const [x, y] = [number(s), number(t)];
      if (Number.isNaN(x) || Number.isNaN(y)) return Number.isNaN(x) - Number.isNaN(y);
      return sign * (x - y);
    });
  }

  function sortable(table) {
    const body = table.tBodies[0];
    const heads = table.tHead ? [...table.tHead.rows[table.tHead.rows.length - 1].cells] : [];
    if (!body || table.tBodies.length > 1 || body.rows.length < 3) return;
    if (all("[rowspan], [colspan]", table).length) return;
    const first = [...body.rows];
    heads.forEach((head, column) => {
      if (!plain(head)) return;
      const control = button("", () => {
        const was = head.getAttribute("aria-sort");
        const next = { ascending: "descending", descending: "" }[was] ?? "ascending";
        heads.forEach((h) => h.removeAttribute("aria-sort"));
        if (next) head.setAttribute("aria-sort", next);
        body.append(...(next ? sorted(first, column, next === "descending") : first));
      }, { className: "sort", "aria-label": say("sort", { column: plain(head) }) });
      head.append(control);
    });
  }

  function filterable(table) {
    const rows = table.tBodies[0] ? [...table.tBodies[0].rows] : [];
    if (rows.length < 8) return;
    const field = made("input", { type: "search", autocomplete: "off", spellcheck: false });
    const count = made("span", { role: "status" });
    field.addEventListener("input", () => {
      const asked = field.value.toLowerCase().split(/\s+/).filter(Boolean);
      for (const row of rows) {
        const text = plain(row).toLowerCase();
        hide(row, "filter", !asked.every((word) => text.includes(word)));
      }
      const left = rows.filter((row) => !row.hidden).length;
      count.textContent = asked.length ? say("rows", { n: left, all: rows.length }) : "";
    });
    const place = table.closest(".scroll") || table;
    const name = table.caption ? plain(table.caption) : "";
    field.setAttribute("aria-label", `${say("filter")}: ${name}`);
    place.before(made("p", { className: "filter" }, made("label", {}, say("filter"), " ", field), " ", count));
  }

  /** Which of the references a table shows: columns whose heads have `data-reference`. */
  function comparable(table) {
    const heads = all("thead th[data-reference]", table);
    if (heads.length < 2) return;
    const field = made("select", {}, made("option", { value: "" }, say("every")),
      ...heads.map((h) => made("option", { value: h.dataset.reference }, plain(h))));
    field.addEventListener("change", () => {
      for (const head of heads) {
        const hidden = Boolean(field.value) && head.dataset.reference !== field.value;
        for (const row of table.rows) row.cells[head.cellIndex].hidden = hidden;
      }
    });
    const label = made("p", { className: "filter" }, made("label", {}, say("reference"), " ", field));
    (table.closest(".scroll") || table).before(label);
  }

  // A choice among the parts of a container: `data-choose` names it, `data-choice` its parts.
  function choose() {
    const groups = new Map();
    for (const container of all("[data-choose]")) {
      const name = container.dataset.choose;
      if (!groups.has(name)) groups.set(name, []);
      groups.get(name).push(container);
    }
    for (const [name, containers] of groups) {
      const parts = (c) => all("[data-choice]", c).filter((p) => p.closest("[data-choose]") === c);
      const fields = [];
      const pick = (value) => {
        for (const container of containers) {
          const mine = parts(container);
          const has = mine.some((p) => p.dataset.choice === value);
          for (const part of mine) hide(part, "choice", has && ![part.dataset.choice, part.dataset.also].includes(value));
          settle(container);
        }
        for (const field of fields) {
          field.value = [...field.options].some((o) => o.value === value) ? value : "";
        }
      };
      for (const container of containers) {
        const names = [...new Set(parts(container).map((p) => p.dataset.choice))];
        if (names.length < 2) continue;
        const field = made("select", {}, made("option", { value: "" }, say("every")),
          ...names.map((n) => made("option", { value: n }, n)));
        field.addEventListener("change", () => pick(field.value));
        fields.push(field);
        const label = container.dataset.label || name;
        bar(container).prepend(made("label", {}, label, " ", field), " ");
      }
    }
  }

  /** The line of a container's choices, with the number of rows that they leave. */
  function bar(container) {
    const known = container.querySelector(":scope > .chooser");
    if (known) return known;
    const line = made("p", { className: "filter chooser" }, made("span", { role: "status" }));
    container.prepend(line);
    return line;
  }

  /** Folds without a row that is left go with their rows; the others are counted. */
  function settle(container) {
    for (const table of all("details table", container)) {
      const rows = table.tBodies[0] ? [...table.tBodies[0].rows] : [];
      const left = rows.filter((row) => !["choice", "subject"].some((r) => reasons.get(row)?.has(r)));
      hide(table.closest("details"), "empty", rows.length > 0 && !left.length);
    }
    const rows = all("tbody tr", container);
    const left = rows.filter((row) => !row.closest("[hidden]")).length;
    const told = bar(container).querySelector("[role=status]");
    told.textContent = left < rows.length ? say("rows", { n: left, all: rows.length }) : "";
  }

  /** Fade the rows of a chart that are of other subjects; false where none is of this one. */
  function fade(chart, name) {
    for (const cover of all(".cover", chart)) cover.remove();
    const labels = all('text[text-anchor="end"]', chart); // names of rows end at the axis
    if (!name || !labels.length) return true;
    const heights = labels.map((label) => Number(label.getAttribute("y")));
    const step = Math.abs(heights[1] - heights[0]);
    const says = (text) => text === name || (text.endsWith("\u2026") && name.startsWith(text.slice(0, -1)));
    const others = labels.map((label, i) => [plain(label), heights[i]]).filter(([text]) => !says(text));
    for (const [, y] of others) {
      const cover = document.createElementNS(chart.namespaceURI, "rect");
      const place = { class: "cover", x: 0, y: y - 3.4 - step / 2, height: step, width: "100%" };
      for (const [key, value] of Object.entries(place)) cover.setAttribute(key, value);
      chart.append(cover);
    }
    return others.length < labels.length;
  }

  /** A choice of one subject: `.subjects` are tables with a row for each, `data-of` other parts. */
  function subjects(container) {
    const of = new Map([...all(".subjects tbody tr", container).map((row) => [row, plain(row.cells[0])]),
      ...all("[data-of]", container).map((part) => [part, part.dataset.of])]);
    const names = [...new Set(of.values())].sort(order.compare);
    if (names.length < 2) return;
    const opened = new Set();
    const field = made("select", {}, made("option", { value: "" }, say("every")),
      ...names.map((n) => made("option", { value: n }, n)));
    field.addEventListener("change", () => {
      const name = field.value;
      for (const [part, mine] of of) hide(part, "subject", Boolean(name) && mine !== name);
      for (const chart of all("figure .chart", container)) hide(chart.closest("figure"), "subject", !fade(chart, name));
      settle(container);
      for (const fold of opened) fold.open = false;
      opened.clear();
      for (const [part, mine] of of) {
        const fold = part.closest("details");
        if (mine !== name || !fold || fold.open) continue;
        fold.open = true;
        opened.add(fold);
      }
    });
    const label = made("label", {}, container.dataset.subjects, " ", field);
    bar(container).querySelector("[role=status]").before(label, " ");
  }

  // Dialogs
  const dialog = made("dialog", { className: "window", "aria-label": say("dialog") });
  document.body.append(dialog);
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });

  function open(...children) {
    const close = button(say("close"), () => dialog.close(), { className: "close" });
    dialog.replaceChildren(close, ...children);
    if (!dialog.open) dialog.showModal();
  }

  // Images
  const images = all("main img").filter((image) => !image.closest(".veil, a, button"));

  function large(image) {
    const pair = image.closest(".pair");
    const shown = pair ? images.filter((i) => pair.contains(i)) : [image];
    const copy = (i) => made("img", { src: i.src, alt: i.alt });
    const figures = shown.map((i) => made("figure", {}, copy(i), made("figcaption", {}, i.alt)));
    if (shown.length === 2) {
      const both = made("div", { className: "difference", role: "img", "aria-label": say("difference") },
        ...shown.map((i) => made("img", { src: i.src, alt: "" })));
      figures.push(made("figure", {}, both, made("figcaption", {}, say("difference"))));
    }
    const at = images.indexOf(shown[0]);
    const turn = (step) => {
      const next = images[at + (step > 0 ? shown.length : -1)];
      return next && button(say(step > 0 ? "next" : "previous"), () => large(next),
        { className: step > 0 ? "next" : "previous" });
    };
    const steps = [turn(-1), turn(1)].filter(Boolean);
    open(made("div", { className: "enlarged" }, ...figures), made("p", { className: "steps" }, ...steps));
    (dialog.querySelector(`.${large.by || "close"}`) || dialog.querySelector("button")).focus();
  }

  dialog.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: "previous", ArrowRight: "next" }[event.key];
    const control = step && event.target.tagName !== "TEXTAREA" && dialog.querySelector(`.${step}`);
    if (!control) return;
    large.by = step;
    control.click();
    large.by = "";
  });

  for (const image of images) {
    const control = button("", () => large(image),
      { className: "enlarge", "aria-label": say("enlarge", { what: image.alt }) });
    image.replaceWith(control);
    control.append(image);
  }

  // Citations and links
  const source = document.getElementById("findings");
  let findings = null; // read when the first is cited
  const file = location.protocol === "file:" ? location.pathname.split("/").pop() : location.href.split("#")[0];

  function cited(place) {
    findings ??= new Map(source ? JSON.parse(source.textContent).map((f) => [f.id, f]) : []);
    const found = findings.get(place.dataset.finding);
    const row = place.closest("tr");
    const said = (found && found.sentence) || plain(row || place);
    const own = document.getElementById(place.dataset.anchor || place.id);
    const link = `${file}${own ? `#${own.id}` : ""}`;
    const about = [document.title, document.documentElement.dataset.made].filter(Boolean).join(", ");
    return { link: own ? `#${own.id}` : "", text: `${plain({ textContent: said })} (${about}; ${place.dataset.finding}; ${link})` };
  }

  function cite(place) {
    const { link, text } = cited(place);
    const area = made("textarea", { readOnly: true, rows: 6, value: text, "aria-label": say("citation") });
    const told = made("span", { role: "status" });
    const copy = button(say("copy"), async () => {
      area.select();
      try { await navigator.clipboard.writeText(text); } catch { document.execCommand("copy"); }
      told.textContent = say("copied");
    });
    const to = made("a", { href: link || "#" }, say("link"));
    to.addEventListener("click", () => dialog.close());
    open(made("h2", {}, say("citation")), area, made("p", { className: "steps" }, copy, ...(link ? [to] : []), told));
    area.select();
  }

  for (const place of all("[data-finding]")) {
    if (place.closest("svg")) continue;
    const cell = place.matches("td, b"); // a figure alone is its own button
    const properties = { className: cell ? "cite" : "cite word" };
    if (cell) {
      const control = button("", () => cite(place), { ...properties, title: say("cite") });
      control.append(...place.childNodes);
      place.append(control);
    } else {
      const end = place.querySelector(".basis") || place;
      end.append(" ", button(say("cite.word"), () => cite(place), properties));
    }
  }

  /** What an address names is shown, wherever it is folded, filtered or not chosen. */
  function reveal() {
    const name = location.hash.slice(1); // every name on the page is plain ASCII
    const place = name && document.getElementById(name);
    if (!place) return;
    if (place.closest("[hidden]")) {
      for (const field of all(".filter :is(input, select)")) {
        field.value = "";
        field.dispatchEvent(new Event(field.tagName === "SELECT" ? "change" : "input"));
      }
    }
    for (let part = place; part; part = part.parentElement) {
      if (part.tagName === "DETAILS") part.open = true;
      part.hidden = false;
    }
    place.scrollIntoView({ block: "center" });
  }

  for (const table of all("main table")) { comparable(table); filterable(table); sortable(table); }
  choose();
  for (const container of all("[data-subjects]")) subjects(container);
  window.addEventListener("hashchange", reveal);
  if (location.hash) reveal();
})();
