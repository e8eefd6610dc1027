"use strict";
// Data, state and the address. All text reaches the page through textContent; the only markup made from strings are the
// charts (reports.svg), parsed as documents in which nothing runs.
let DATA;
const DASH = "\u2013";
const FACETS = ["scale", "backbone", "bits", "family", "machine", "threads", "budget"];
const views = new Map();

const state = {
  tab: "", scope: "", q: "", pub: true, row: "", weights: null,
  facets: Object.fromEntries(FACETS.map((name) => [name, new Set()])), sort: {}, columns: {},
};

function el(tag, attributes, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name === "class") node.className = value;
    else if (name === "on") for (const [event, act] of Object.entries(value)) node.addEventListener(event, act);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined && child !== ""));
  return node;
}

const byId = (id) => document.getElementById(id);

// As Python's reports.text.fixed: exact ties away from zero, scientific from six digits on, no negative zero.
function fixed(value, digits) {
  if (digits >= 6) return value === 0 ? "0" : value.toExponential(1);
  const text = Math.abs(value).toFixed(digits);
  return value < 0 && Number(text) !== 0 ? "-" + text : text;
}

// The data is JSON, compressed and written as base64 (reports.html.compressed).
async function readData() {
  const bytes = Uint8Array.from(atob(byId("data").textContent), (char) => char.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  DATA = JSON.parse(await new Response(stream).text());
}

// Puts the charts of a part of the page in their places when it first comes into sight.
function drawPictures(host) {
  for (const place of host.querySelectorAll("[data-picture]")) {
    const parsed = new DOMParser().parseFromString(DATA.pictures[place.dataset.picture], "text/html");
    place.replaceChildren(...parsed.body.childNodes);
    delete place.dataset.picture;
  }
}

function changeText(percent) {
  return (percent <= 0 ? "\u2193" : "\u2191") + fixed(Math.abs(percent), 1) + "%";
}

// An entry travels as a bare value when it has nothing but a value; what the row itself says does not travel at all.
function entryOf(row, index) {
  return row.e[index];
}

const DERIVED = {
  method: (row) => method(row.m).name,
  bits: (row) => method(row.m).bits || null,
  backbone: (row) => DATA.backbones[row.b] ?? row.b ?? null,
  scale: (row) => row.s ?? null,
  case: (row) => row.c ?? null,
  machine: (row) => row.at || null,
  paper: (row) => method(row.m).paper || null,
  year: (row) => method(row.m).year ?? null,
  code: (row) => method(row.m).code || null,
};

function unpack(columns, rows) {
  for (const row of rows) {
    const own = row.e[Symbol.iterator]();
    row.id ??= [row.m, row.b, row.s ? `x${row.s}` : "", row.c].filter(Boolean).join(".");
    row.e = columns.map((column) => {
      const raw = DERIVED[column.key] ? DERIVED[column.key](row) : own.next().value;
      const entry = raw !== null && typeof raw === "object" ? { ...raw } : { v: raw };
      if (entry.n !== undefined) entry.n = DATA.notes[entry.n];
      if (entry.k) entry.k = entry.k === 1 ? "best" : "second";
      return entry;
    });
    const runs = row.r || [];
    row.r = [];
    for (let at = 0; at < runs.length; at += 2) for (let next = 0; next < runs[at + 1]; next += 1) row.r.push(runs[at] + next);
  }
}

function unpackRecord([place, provenance, ...rest]) {
  const pieces = rest.slice(0, 6).map((word) => DATA.words[word]);
  const facts = DATA.factLists[provenance].map((fact) => DATA.facts[fact]);
  return { case: DATA.words[place], facts, pieces, ...(rest[6] || {}) };
}

function heading(column) {
  return column.unit ? `${column.title} (${column.unit})` : column.title;
}

function fullHeading(column) {
  return column.group ? `${column.group} ${heading(column)}` : heading(column);
}

function method(key) {
  return DATA.methods[key] || { name: key, family: "other", bits: "", facts: [] };
}

function familyClass(name) {
  return "f-" + (["binary", "low-bit", "reference"].includes(name) ? name : "other");
}

// ---- the address keeps the view -----------------------------------------------------------------------------------
function readHash() {
  const read = new URLSearchParams(location.hash.slice(1));
  const tabs = [...document.querySelectorAll("[data-tab]")].map((button) => button.dataset.tab);
  state.tab = tabs.includes(read.get("tab")) ? read.get("tab") : state.tab || tabs[0];
  const scopes = DATA.boards.map((board) => board.scope);
  state.scope = scopes.includes(read.get("scope")) ? read.get("scope") : scopes[0] || "";
  state.q = (read.get("q") || "").slice(0, 200);
  state.pub = read.get("pub") !== "0";
  state.row = read.get("row") || "";
  for (const name of FACETS) state.facets[name] = new Set(split(read.get(name)));
  state.sort = {};
  for (const word of split(read.get("sort"))) {
    const [table, column, direction] = word.split("~");
    if (views.has(table) && (direction === "asc" || direction === "desc")) state.sort[table] = [column, direction];
  }
  state.columns = {};
  for (const [name, shown] of [["show", true], ["hide", false]]) {
    for (const word of split(read.get(name))) {
      const [table, column] = word.split("~");
      if (views.has(table)) (state.columns[table] ||= {})[column] = shown;
    }
  }
  state.weights = null;
  const weights = split(read.get("w")).map(Number);
  if (weights.length === DATA.parts.length && weights.every((value) => value >= 0 && value <= 5)) {
    state.weights = Object.fromEntries(DATA.parts.map((part, place) => [part.key, weights[place]]));
  }
}

function split(text) {
  return text ? text.split(",").filter(Boolean) : [];
}

function writeHash() {
  const write = new URLSearchParams();
  const put = (name, value) => value && write.set(name, value);
  put("tab", state.tab);
  put("scope", DATA.boards.length && state.scope !== DATA.boards[0].scope ? state.scope : "");
  put("q", state.q);
  put("pub", state.pub ? "" : "0");
  put("row", state.row);
  for (const name of FACETS) put(name, [...state.facets[name]].join(","));
  put("sort", Object.entries(state.sort).map(([table, [column, way]]) => `${table}~${column}~${way}`).join(","));
  const columns = Object.entries(state.columns).flatMap(([table, chosen]) =>
    Object.entries(chosen).map(([column, shown]) => [shown, `${table}~${column}`]));
  put("show", columns.filter(([shown]) => shown).map(([, word]) => word).join(","));
  put("hide", columns.filter(([shown]) => !shown).map(([, word]) => word).join(","));
  put("w", state.weights ? DATA.parts.map((part) => state.weights[part.key]).join(",") : "");
  history.replaceState(null, "", "#" + write.toString());
}
