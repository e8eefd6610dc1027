// Everything about one row: what it is, its numbers beside published ones, how to get them again, where they come from.
function openRow(view, row) {
  state.row = `${view.table.key}/${row.id}`;
  writeHash();
  showDrawer(view, row);
}

function openNamed(name) {
  const [key, id] = [name.slice(0, name.indexOf("/")), name.slice(name.indexOf("/") + 1)];
  const view = views.get(key);
  const row = view && (view.table.rows.find((one) => one.id === id) || view.table.rows.find((one) => one.id.startsWith(id + ".")));
  if (row) showDrawer(view, row);
  return Boolean(row);
}

function showDrawer(view, row) {
  const facts = method(row.m);
  const network = row.b && row.b !== "none" ? DATA.backbones[row.b] || row.b : "";
  const where = [`${network} ${row.s ? `\u00d7${row.s}` : ""}`.trim(), row.c || ""].filter(Boolean);
  byId("drawer-title").replaceChildren(el("bdi", {}, facts.name), ...where.map((word) => el("span", { class: "where" }, word)));
  byId("drawer-body").replaceChildren(
    ...about(facts, row.m), ...values(view, row), ...published(view, row), ...again(row), ...records(row));
  const drawer = byId("drawer");
  if (!drawer.open) drawer.showModal();
  byId("drawer-body").scrollTop = 0;
}

function pairs(list) {
  return el("dl", { class: "pairs" }, ...list.flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]));
}

function about(facts, key) {
  const link = /^https?:\/\//i.test(facts.url || "") ? el("a", { href: facts.url, rel: "noopener noreferrer" }, facts.url) : "";
  const list = [["Bits (W/A)", facts.bits], ["Family", facts.family], ["Year", facts.year ? String(facts.year) : ""],
    ["Paper", facts.paper], ...facts.facts, ["Link", link],
    ["Page", DATA.site ? el("a", { href: `methods/${encodeURIComponent(key)}.html` }, `All about ${facts.name}`) : ""]];
  return [pairs(list.filter(([, value]) => value))];
}

function values(view, row) {
  const lines = view.table.columns.map((column, index) => [column, entryOf(row, index)])
    .filter(([column, entry]) => !column.text && !["scale", "rank"].includes(column.key) && (entry.v !== null || entry.n))
    .map(([column, entry]) => {
      const digits = column.digits ?? 0;
      const number = entry.v === null || entry.v === undefined ? DASH : fixed(entry.v, digits);
      const extra = [entry.s !== undefined ? `(${fixed(entry.s, digits)})` : "", entry.d !== undefined ? changeText(entry.d) : "",
        entry.v === null && entry.n ? entry.n : ""].filter(Boolean).join(" ");
      return [el("span", { "data-tip": help(column) }, fullHeading(column)),
        el("span", {}, el("span", { class: entry.k || "" }, number), extra ? el("span", { class: "grey" }, " " + extra) : null)];
    });
  const flags = view.table.columns.findIndex((column) => column.key === "flags");
  const warned = flags >= 0 ? entryOf(row, flags).v : "";
  return [el("h3", {}, "Values"), pairs([...lines, ...(warned ? [["Flags", warned]] : [])])];
}

function published(view, row) {
  const lines = view.table.columns.flatMap((column, index) => (entryOf(row, index).p || []).map(([value, place]) => {
    const [source, where] = DATA.places[place];
    const [cited, url] = DATA.sources[source] || [source, ""];
    const digits = column.digits ?? 0;
    const measured = entryOf(row, index).v;
    const named = /^https?:\/\//i.test(url) ? el("a", { href: url, rel: "noopener noreferrer" }, source) : source;
    return el("tr", {}, el("th", { scope: "row" }, fullHeading(column)), el("td", {}, fixed(measured, digits)),
      el("td", { class: "grey" }, fixed(value, digits)), el("td", {}, signed(measured - value, digits)),
      el("td", { class: "l grey", "data-tip": cited }, named, `: ${where}`));
  }));
  if (!lines.length) return [];
  const heads = ["Metric", "Measured", "Published", "Difference", "Source"].map((name) => el("th", { scope: "col" }, name));
  return [el("h3", {}, "Beside published numbers"), el("table", { class: "plain" },
    el("thead", {}, el("tr", {}, ...heads)), el("tbody", {}, ...lines)),
  el("p", { class: "note" }, "Published numbers are never scored.")];
}

function commandText([environment, algo, track, backbone, scale, options]) {
  const network = backbone ? ` --backbone ${backbone}` : "";
  return `${environment}python run_bench.py --algos ${algo} --track ${track}${network} ${scale}${options}`;
}

function again(row) {
  const texts = [...new Set((row.r || []).map((place) => commandText(unpackRecord(DATA.records[place]).pieces)))];
  if (!texts.length) return [];
  return [el("h3", {}, "Measure it again"), ...texts.map((text) => {
    const copy = el("button", { type: "button", class: "quiet", on: { click: () => copyText(text, copy) } }, "Copy");
    const file = el("button", { type: "button", class: "quiet", "data-tip": "The same as a file: python run_bench.py --config run.toml",
      on: { click: () => copyText(asToml(text), file) } }, "As TOML");
    return el("div", { class: "cmd" }, el("code", {}, text), copy, file);
  })];
}

// A command of ours as a file for --config. Its words are quoted as Python's shlex does: bare, or in single quotes.
function asToml(text) {
  const words = [...text.matchAll(/(?:'[^']*'|"[^"]*"|[^\s'"])+/g)].map(([word]) => word.replace(/'([^']*)'|"([^"]*)"/g, "$1$2"));
  const found = new Map();
  const kernel = words[0].startsWith("BISRBENCH_KERNEL=") ? words[0].split("=")[1] : "";
  if (kernel) found.set("kernel", kernel);
  for (let at = words.indexOf("run_bench.py") + 1; at < words.length; at += 1) {
    const key = words[at].slice(2);
    const bare = at + 1 === words.length || words[at + 1].startsWith("--");
    const value = bare ? true : words[at += 1];
    if (["set", "weights"].includes(key)) found.set(key, [...(found.get(key) || []), value]);
    else found.set(key, bare || !/^\d+$/.test(value) ? value : Number(value));
  }
  return [...found].map(([key, value]) => `${key} = ${JSON.stringify(value)}\n`).join("");
}

async function copyText(text, button) {
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = "Copied";
  } catch {
    const range = document.createRange();
    range.selectNodeContents(button.parentNode.querySelector("code"));
    getSelection().removeAllRanges();
    getSelection().addRange(range);
    button.textContent = "Selected";
  }
}

function records(row) {
  const places = row.r || [];
  if (!places.length) return [];
  return [el("h3", {}, places.length > 1 ? `Where the numbers come from: ${places.length} records` : "Where the numbers come from"),
    ...places.map((place) => {
      const record = unpackRecord(DATA.records[place]);
      const kernels = (record.k || []).map(([name, count]) => `${name}: ${count} layer${count === 1 ? "" : "s"}`).join(", ");
      const seed = (record.facts.find(([name]) => name === "Seed") || [])[1];
      const title = `${record.pieces[2]} ${record.case}, seed ${seed}${record.why ? " \u2013 " + record.why : ""}`;
      const list = [...record.facts, ...(kernels ? [["Kernels", kernels]] : [])];
      const series = Object.entries(record.t || {}).map(([name, numbers]) => strip(name, numbers));
      return el("details", { class: "rec", open: places.length === 1 }, el("summary", {}, title), pairs(list), ...series.flat());
    }),
    DATA.samplesLeftOut ? el("p", { class: "note" }, "Raw samples are in the record files.") : null].filter(Boolean);
}

// All samples of one series as dots on a line.
function strip(name, numbers) {
  const [low, high] = [Math.min(...numbers), Math.max(...numbers)];
  const ns = "http://www.w3.org/2000/svg";
  const make = (tag, attributes) => {
    const node = document.createElementNS(ns, tag);
    for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
    return node;
  };
  const svg = make("svg", { viewBox: "0 0 460 26", role: "img", class: "strip",
    "aria-label": `${numbers.length} samples of ${name} from ${low} to ${high}` });
  svg.append(make("line", { x1: 8, x2: 452, y1: 13, y2: 13 }));
  numbers.forEach((value, place) => svg.append(make("circle",
    { cx: high > low ? 8 + 444 * (value - low) / (high - low) : 230, cy: 13 + (place % 3 - 1) * 5, r: 3 })));
  return [el("p", { class: "note" }, `${name}: ${numbers.length} samples, ${low} to ${high}`), svg];
}
