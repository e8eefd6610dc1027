// One view a table. A row's cells are made when it first comes into sight; of a long table only the top is attached,
// and more as the reader scrolls down.
const CHUNK = 200;

function makeView(table, host) {
  const view = { table, host, rows: [], heads: new Map(), body: el("tbody"), limit: CHUNK, visible: 0, found: [] };
  const shell = el("table", { class: "grid-table" + (table.ranked ? " ranked" : "") },
    el("caption", { class: "sr" }, host.getAttribute("aria-label") || table.key));
  shell.append(head(view), view.body);
  view.rows = table.rows.map((row, place) => ({ row, place, words: wordsOf(view, row) }));
  host.addEventListener("scroll", () => {
    if (host.scrollTop + host.clientHeight > host.scrollHeight - 600) grow(view, view.limit + CHUNK);
  });
  view.empty = el("p", { class: "empty", hidden: true }, "Nothing matches. Clear the search or a filter.");
  host.replaceChildren(shell, view.empty);
  return view;
}

function head(view) {
  const { columns } = view.table;
  const group = el("tr", { class: "groups" });
  const names = el("tr");
  view.groups = [];
  columns.forEach((column, place) => {
    if (place === 0 || column.group !== columns[place - 1].group) {
      const cell = el("th", column.group ? { class: "g", scope: "colgroup" } : {}, column.group || "");
      view.groups.push({ cell: column.group ? cell : el("td"), first: place, count: 0, column });
    }
    view.groups[view.groups.length - 1].count += 1;
    const button = el("button", { type: "button", "data-tip": help(column), on: { click: () => sortBy(view, column) } },
      column.title, el("span", { class: "unit" }, column.unit || "", arrow(column)));
    const cell = el("th", { scope: "col", class: cellClass(column) }, button);
    view.heads.set(column.key, cell);
    names.append(cell);
  });
  if (columns.some((column) => column.group)) {
    for (const span of view.groups) group.append(span.cell);
    return el("thead", {}, group, names);
  }
  view.groups = [];
  return el("thead", {}, names);
}

function arrow(column) {
  return el("span", { "aria-hidden": "true" }, { higher: " \u2191", lower: " \u2193" }[column.better] || "");
}

function help(column) {
  const better = { higher: " Higher is better.", lower: " Lower is better." }[column.better] || "";
  const text = (column.help || "").replace(/([^.])$/, "$1.");
  return `${fullHeading(column)}${text ? ": " + text : "."}${better}`;
}

function cellClass(column) {
  return [column.text ? "t" : "n", column.key === "method" ? "first" : "", column.key === "rank" ? "rank" : "",
    column.key === "flags" ? "flags" : ""].filter(Boolean).join(" ");
}

function wordsOf(view, row) {
  const texts = view.table.columns.map((column, index) => (column.text ? entryOf(row, index).v : "") || "");
  return [row.m, method(row.m).name, ...(row.f || []), ...texts].join(" ").toLowerCase();
}

function nodeOf(view, item) {
  if (item.node) return item.node;
  const { row } = item;
  item.cells = view.table.columns.map((column, index) => {
    const cell = el(column.key === "method" ? "th" : "td",
      { class: cellClass(column), scope: column.key === "method" ? "row" : null });
    fill(cell, entryOf(row, index), column, view, row);
    return cell;
  });
  item.node = el("tr", { class: row.ref ? "ref" : "" }, ...item.cells);
  hideCells(view, item);
  return item.node;
}

function hideCells(view, item) {
  view.table.columns.forEach((column, index) => { item.cells[index].hidden = !shownColumn(view, column); });
}

function grow(view, limit) {
  const more = view.found.slice(view.limit, limit);
  view.limit = limit;
  for (const item of more) nodeOf(view, item).classList.toggle("lead", item.lead);
  view.body.append(...more.map((item) => item.node));
}

function fill(cell, entry, column, view, row) {
  if (column.key === "method") {
    cell.replaceChildren(el("span", { class: "fam " + familyClass(method(row.m).family), "aria-hidden": "true" }),
      el("button", { type: "button", class: "open", "aria-haspopup": "dialog", on: { click: () => openRow(view, row) } },
        el("bdi", {}, entry.v || row.m)));
    return;
  }
  if (column.key === "flags") {
    const rest = (entry.v || "").split("; ").filter((word) => word && !(row.f || []).includes(word)).join("; ");
    cell.replaceChildren(...(row.f || []).map((flag) => DATA.flags[flag]
      ? el("button", { type: "button", class: "flag", "data-tip": `${flag}: ${DATA.flags[flag]}.` }, flag)
      : el("span", { class: "flag" }, flag)), rest);
    return;
  }
  if (column.key === "code" && /^https?:/.test(entry.v || "")) {
    cell.replaceChildren(el("a", { href: entry.v, rel: "noopener noreferrer" }, new URL(entry.v).hostname.replace(/^www\./, "")));
    return;
  }
  if (entry.v === null || entry.v === undefined) {
    const gap = view.table.gapless ? "" : DASH;
    cell.replaceChildren(el("span", entry.n ? { class: "none", "data-tip": entry.n } : { class: "none" }, gap));
    return;
  }
  if (column.text) { cell.replaceChildren(el("bdi", {}, entry.v)); return; }
  const mark = entry.k ? el("span", { class: "sr" }, entry.k === "best" ? " best" : " second best") : null;
  const barred = entry.o ? { class: "barred", "data-tip": entry.n } : { class: entry.k || "" };
  const parts = [el("span", barred, fixed(entry.v, column.digits ?? 0)), mark];
  if (entry.s !== undefined) parts.push(el("span", { class: "aside" }, `(${fixed(entry.s, column.digits ?? 0)})`));
  if (entry.d !== undefined) parts.push(el("span", { class: "aside" }, changeText(entry.d)));
  if (entry.p && entry.p.length) parts.push(quote(entry, column));
  cell.replaceChildren(...parts.filter(Boolean));
}

function quote(entry, column) {
  const [value, place] = entry.p[0];
  const [source, where] = DATA.places[place];
  const cited = (DATA.sources[source] || [source])[0];
  return el("span", { class: "pub", "data-tip": `Published, not scored: ${cited}, ${where}. Difference: measured minus published.` },
    `${fixed(value, column.digits ?? 0)} ${signed(entry.v - value, column.digits ?? 0)}`);
}

function signed(value, digits) {
  const text = fixed(value, digits);
  return text.startsWith("-") ? "\u2212" + text.slice(1) : "+" + text;
}

// Columns that wait for a wide window.
const ROOMY = matchMedia("(min-width: 1500px)").matches;

// A phone has no room for columns that seldom differ; the chooser brings them back.
const NARROW = matchMedia("(max-width: 720px)").matches;

// ---- sorting, filtering, columns ----------------------------------------------------------------------------------
function sortBy(view, column) {
  const first = column.better === "higher" ? "desc" : "asc";
  const other = first === "asc" ? "desc" : "asc";
  const now = state.sort[view.table.key];
  if (!now || now[0] !== column.key) state.sort[view.table.key] = [column.key, first];
  else if (now[1] === first) state.sort[view.table.key] = [column.key, other];
  else delete state.sort[view.table.key];
  update();
}

function ordered(view) {
  const [key, way] = state.sort[view.table.key] || [];
  const index = view.table.columns.findIndex((column) => column.key === key);
  const rows = [...view.rows].sort((a, b) => a.place - b.place);
  if (index < 0) return rows;
  const sign = way === "desc" ? -1 : 1;
  const value = (item) => entryOf(item.row, index).v;
  const none = (v) => v === null || v === undefined || v === "";
  return rows.sort((a, b) => {
    const [x, y] = [value(a), value(b)];
    if (none(x) || none(y)) return none(x) - none(y);
    return sign * (typeof x === "string" ? x.localeCompare(y, "en", { numeric: true }) : x - y);
  });
}

function shownColumn(view, column) {
  const chosen = (state.columns[view.table.key] || {})[column.key];
  const spare = NARROW && (column.key === "backbone" || column.key === "bits" || column.key.startsWith("comp:"));
  return chosen === undefined ? (column.roomy && !view.table.gapless ? ROOMY : !column.hidden && !spare) : chosen;
}

// What a row says of a facet; nothing where the facet does not concern it.
const FACTS = {
  scale: (row) => [String(row.s || "")],
  backbone: (row) => (row.b === "none" ? [] : [row.b || ""]),
  bits: (row) => [method(row.m).bits],
  family: (row) => [method(row.m).family],
  machine: (row) => (row.at ? [row.at] : []),
  threads: (row) => (row.at ? (row.t || []).map(String) : []),
  budget: (row) => (row.g ? [row.g] : []),
};
const OF_METHODS = ["bits", "family"];

function matches(item, view) {
  const { row, words } = item;
  if (view.table.part && !view.table.part(row)) return false;
  for (const name of view.table.ranked ? OF_METHODS : FACETS) {
    const told = FACTS[name](row);
    if (state.facets[name].size && told.length && !told.some((value) => state.facets[name].has(value))) return false;
  }
  return state.q.toLowerCase().split(/\s+/).every((word) => words.includes(word));
}

// Rows that are no contest of each other: another scale, machine or case.
function parted(a, b) {
  return a.s !== b.s || (a.at || "") !== (b.at || "") || (a.c || "") !== (b.c || "");
}

function updateView(view) {
  const { columns } = view.table;
  const shown = columns.map((column) => shownColumn(view, column));
  const [key, way] = state.sort[view.table.key] || [];
  columns.forEach((column, index) => {
    const cell = view.heads.get(column.key);
    cell.hidden = !shown[index];
    if (column.key === key) cell.setAttribute("aria-sort", way === "asc" ? "ascending" : "descending");
    else cell.removeAttribute("aria-sort");
  });
  for (const span of view.groups) {
    const count = shown.slice(span.first, span.first + span.count).filter(Boolean).length;
    span.cell.hidden = count === 0;
    span.cell.colSpan = Math.max(count, 1);
  }
  const signature = shown.join();
  if (view.signature !== signature) for (const item of view.rows) if (item.node) hideCells(view, item);
  view.signature = signature;
  view.found = ordered(view).filter((item) => matches(item, view));
  view.visible = view.found.length;
  view.found.forEach((item, place) => {
    item.lead = !key && place > 0 && !view.table.ranked && parted(view.found[place - 1].row, item.row);
    if (place < view.limit) nodeOf(view, item).classList.toggle("lead", item.lead);
  });
  view.body.replaceChildren(...view.found.slice(0, view.limit).map((item) => item.node));
  view.empty.hidden = view.visible > 0;
}
