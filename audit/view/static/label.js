"use strict";
// One image at a time. A key counts only while its image is on the screen, and the next image
// appears only when the label is on disk: no unseen image gets a label, and no label is lost.

const at = (id) => document.getElementById(id);
const root = at("queue");
const rater = root.dataset.rater;
const base = document.body.dataset.base; // where this run is
const picture = at("picture");

let items = []; // [number, sample, attribute]
let classes = {};
let reasons = [];
let said = {}; // number to word
let here = -1; // place in `items`
let ready = false; // the image is on the screen and nothing is being saved
let past = []; // places visited before
let colours = {}; // by attribute and class, where a scale has them
let asked = null; // the attribute that the keys answer

async function ask(address, options) {
  const response = await fetch(address, { credentials: "same-origin", ...options });
  const text = await response.text();
  let body = null;
  try { body = JSON.parse(text); } catch { /* a refusal is a plain sentence */ }
  if (!response.ok || body === null) throw new Error((body && body.error) || text.trim());
  return body;
}

async function refresh() {
  const state = await ask(`${base}/labels?rater=${encodeURIComponent(rater)}`);
  ({ items, classes, colours, reasons, said } = state);
}

function trouble(error) {
  const lost = error instanceof TypeError; // fetch: no answer at all
  at("trouble").textContent = error
    ? `Not saved. ${lost ? "The server does not answer: start t2i-audit view again." : error.message}`
    : "";
}

/** The next place without a label after `from`, around the end; -1 if there is none. */
function open(from) {
  for (let step = 1; step <= items.length; step += 1) {
    const place = (from + step + items.length) % items.length;
    if (!said[items[place][0]]) return place;
  }
  return -1;
}

function keycap(key) {
  const hint = document.createElement("kbd");
  hint.textContent = key;
  return hint;
}

/** A patch of a class's colour; nothing where its scale has none. */
function swatch(colour) {
  if (!colour) return [];
  const patch = document.createElement("span");
  patch.className = "swatch";
  patch.style.backgroundColor = colour;
  return [patch];
}

function button(value, key, chosen, { colour = "", means = "" } = {}) {
  const made = document.createElement("button");
  made.type = "button";
  made.title = means;
  made.setAttribute("aria-pressed", String(chosen));
  made.append(...(key ? [keycap(key)] : []), ...swatch(colour), ` ${value}`);
  made.addEventListener("click", () => say(value));
  return made;
}

const digit = (i) => (i < 9 ? String(i + 1) : i === 9 ? "0" : "");

function words(attribute) {
  const chosen = said[items[here][0]];
  at("classes").replaceChildren(
    ...classes[attribute].map((c, i) => button(c, digit(i), c === chosen, { colour: colours[attribute][c] })));
  at("reasons").replaceChildren(
    ...reasons.map((r) => button(r.value, r.key.toUpperCase(), r.value === chosen, r)));
}

const perceived = (attribute) => `Perceived ${attribute.replaceAll("_", " ")}`;

/** What is asked next, and what the keys mean for it: no key of the last question answers this. */
function introduce(attribute) {
  const term = (key, colour, word, means) => {
    const [dt, dd] = [document.createElement("dt"), document.createElement("dd")];
    dt.append(...(key ? [keycap(key)] : []), ...swatch(colour), ` ${word}`);
    dd.textContent = means;
    return [dt, dd];
  };
  const n = items.filter((item) => item[2] === attribute && !said[item[0]]).length;
  at("amount").textContent = n === 1 ? "1 image" : `${n} images`;
  at("next").textContent = perceived(attribute);
  at("choices").replaceChildren(
    ...classes[attribute].flatMap((c, i) => term(digit(i), colours[attribute][c], c, "")));
  at("whys").replaceChildren(...reasons.flatMap((r) => term(r.key.toUpperCase(), "", r.value, r.means)));
  stage("before");
  at("begin").focus();
}

/** Show one of three: the words of a question, an image, or the end. */
function stage(name) {
  at("before").hidden = name !== "before";
  at("finished").hidden = name !== "finished";
  for (const part of root.querySelectorAll(".stage, .panel")) part.hidden = name !== "image";
}

function tally() {
  const done = items.filter((item) => said[item[0]]).length;
  at("progress").value = done;
  at("done").textContent = `${done} of ${items.length} labelled`;
}

function show(place) {
  tally();
  here = place;
  ready = false;
  if (place < 0) { stage("finished"); at("every").focus(); return; }
  const [number, sample, attribute] = items[place];
  if (attribute !== asked) { introduce(attribute); return; }
  stage("image");
  at("number").textContent = `Image ${number}`;
  at("question").textContent = perceived(attribute);
  words(attribute);
  picture.hidden = true;
  at("absent").hidden = true;
  picture.alt = `Image ${number}, to be labelled`;
  picture.src = `${base}/picture/${encodeURIComponent(sample)}`;
  picture.decode().then(() => appear(place, picture), () => appear(place, at("absent")));
  for (const next of items.slice(place + 1, place + 4)) {
    new Image().src = `${base}/picture/${encodeURIComponent(next[1])}`;
  }
}

function appear(place, what) {
  if (place !== here) return;
  what.hidden = false;
  ready = true;
  root.dataset.ready = items[place][0];
}

function go(place) {
  delete root.dataset.ready;
  if (here >= 0) past.push(here);
  show(place);
}

async function say(value) {
  if (!ready) return;
  ready = false;
  delete root.dataset.ready;
  const [number, sample, attribute] = items[here];
  try {
    const answer = await ask(`${base}/labels`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ rater, sample, attribute, value }),
    });
    if (value) said[number] = value; else delete said[number];
    trouble(null);
    at("status").textContent = value ? `Saved: ${number} is ${value}.` : `${number} is open again.`;
    const known = items.filter((item) => said[item[0]]).length;
    if (answer.done !== known) await refresh(); // another tab labels, too
    if (value) go(open(here)); else show(here);
  } catch (error) {
    trouble(error);
    ready = true;
    root.dataset.ready = number;
  }
}

function back() {
  const place = past.length ? past.pop() : here - 1;
  if (place < 0) return;
  delete root.dataset.ready;
  asked = items[place][2]; // this question was answered before
  show(place);
}

function begin() {
  asked = items[here][2];
  at("begin").blur();
  show(here);
}

function help() {
  if (here < 0) return;
  delete root.dataset.ready;
  ready = false;
  introduce(items[here][2]);
}

function skip() {
  if (here >= 0) go((here + 1) % items.length);
}

function pressed(key) {
  if (key === "Backspace" || key === "ArrowLeft") return back;
  if (here < 0) return null;
  if (!at("before").hidden) return key === "Enter" ? begin : null;
  if (key === "ArrowRight") return skip;
  if (key === "?") return help;
  if (key === "Delete") return () => say("");
  const reason = reasons.find((r) => r.key === key.toLowerCase());
  if (reason) return () => say(reason.value);
  const names = classes[items[here][2]];
  const i = names.findIndex((_, k) => digit(k) === key);
  return i < 0 ? null : () => say(names[i]);
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey || !items.length) return;
  const act = pressed(event.key);
  if (!act) return;
  event.preventDefault();
  if (!event.repeat) act(); // a key that is held down is one key
});

at("back").addEventListener("click", back);
at("skip").addEventListener("click", skip);
at("begin").addEventListener("click", begin);
at("help").addEventListener("click", help);
at("clear").addEventListener("click", () => say(""));
at("again").addEventListener("click", () => { past = []; here = -1; show(0); });

// Another tab may have labelled meanwhile.
document.addEventListener("visibilitychange", async () => {
  if (document.hidden || !ready) return;
  try {
    await refresh();
    tally();
    if (here >= 0) words(items[here][2]);
  } catch (error) { trouble(error); }
});

refresh().then(() => {
  const place = open(-1);
  const attribute = place < 0 ? null : items[place][2];
  if (items.some((item) => item[2] === attribute && said[item[0]])) asked = attribute;
  show(place);
}, trouble);
