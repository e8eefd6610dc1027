// The page comes alive: tabs, filters, tooltips, drawer, theme.
const DRAWN = ["_plots", "_crops"];

function update() {
  for (const button of document.querySelectorAll("[data-tab]")) {
    const chosen = button.dataset.tab === state.tab;
    button.setAttribute("aria-selected", chosen);
    button.tabIndex = chosen ? 0 : -1;
  }
  for (const panel of document.querySelectorAll("[data-panel]")) panel.hidden = panel.dataset.panel !== state.tab;
  if (state.tab === "_score") updateBoard();
  else if (views.has(state.tab)) updateView(views.get(state.tab));
  const view = views.get(state.tab);
  updateControls(view);
  updatePlots();
  document.documentElement.classList.toggle("no-pub", !state.pub);
  const visible = view && view.visible + (view.table.ranked ? views.get("_rest").visible : 0);
  byId("count").textContent = view ? `${visible} of ${view.rows.length} rows` : "";
  writeHash();
}

function updateControls(view) {
  byId("controls").hidden = !view && !DRAWN.includes(state.tab);
  for (const name of ["columns", "published-switch"]) byId(name).hidden = !view;
  byId("published-switch").hidden = !view || !view.table.rows.some((row) => row.e.some((entry) => entry.p));
  document.querySelector(".downloads").hidden = !view;
  document.querySelector(".search").hidden = !view;
  if (byId("search").value !== state.q) byId("search").value = state.q;
  byId("published").checked = state.pub;
  for (const facet of document.querySelectorAll(".facet")) {
    const name = facet.dataset.facet;
    facet.hidden = (state.tab === "_score" && !OF_METHODS.includes(name)) ||
      (DRAWN.includes(state.tab) && !["scale", "backbone"].includes(name)) ||
      (view && !view.table.ranked && !view.table.rows.some((row) => FACTS[name](row).length));
    for (const button of facet.querySelectorAll("button")) {
      button.setAttribute("aria-pressed", state.facets[name].has(button.dataset.value));
    }
  }
  if (view && view !== updateControls.listed) listColumns(view);
  for (const box of document.querySelectorAll("#column-list input")) {
    const column = view && view.table.columns.find((one) => one.key === box.dataset.column);
    if (column) box.checked = shownColumn(view, column);
  }
}

function listColumns(view) {
  updateControls.listed = view;
  byId("column-list").replaceChildren(...view.table.columns.filter((column) => column.key !== "method").map((column) =>
    el("label", {}, el("input", { type: "checkbox", "data-column": column.key, on: {
      change: (event) => {
        (state.columns[view.table.key] ||= {})[column.key] = event.target.checked;
        update();
      },
    } }), fullHeading(column))));
}

function makeFacets() {
  const rows = DATA.tables.flatMap((table) => table.rows);
  const algos = Object.keys(DATA.methods);
  const found = {
    scale: [...new Set(rows.map((row) => String(row.s)))].sort(),
    backbone: [...new Set(rows.map((row) => row.b))].filter((name) => name && name !== "none").sort(),
    machine: [...new Set(rows.map((row) => row.at || ""))].filter(Boolean).sort(),
    threads: [...new Set(rows.flatMap((row) => (row.at ? row.t || [] : [])))].sort((a, b) => a - b).map(String),
    budget: [...new Set(rows.map((row) => row.g || ""))].filter(Boolean).sort(),
    bits: [...new Set(algos.map((algo) => method(algo).bits))].filter(Boolean).sort((a, b) => parseInt(a) - parseInt(b)),
    family: [...new Set(algos.map((algo) => method(algo).family))].sort(),
  };
  const names = { scale: "Scale", backbone: "Backbone", bits: "Bits W/A", family: "Family",
    machine: "Machine", threads: "Threads", budget: "Training" };
  byId("facets").replaceChildren(...FACETS.filter((name) => found[name].length > 1).map((name) =>
    el("fieldset", { class: "facet", "data-facet": name }, el("legend", {}, names[name]),
      ...found[name].map((value) => el("button", { type: "button", "data-value": value, "aria-pressed": "false", on: {
        click: () => {
          const set = state.facets[name];
          if (!set.delete(value)) set.add(value);
          update();
        },
      } }, name === "scale" ? `\u00d7${value}` : name === "backbone" ? DATA.backbones[value] || value : value)))));
}

function updatePlots() {
  if (!DRAWN.includes(state.tab)) return;
  for (const figure of document.querySelectorAll(".figures figure, .crops")) {
    const { scale, backbone } = figure.dataset;
    const out = (name, value) => value && value !== "0" && state.facets[name].size > 0 && !state.facets[name].has(value);
    figure.hidden = Boolean(out("scale", scale) || out("backbone", backbone));
    if (state.tab === "_crops" && figure.matches(".crops") && !figure.querySelector(".compare")) makeCompare(figure);
    if (state.tab === "_plots" && !figure.hidden && figure.querySelector("[data-picture]")) {
      drawPictures(figure);
      if (figure.classList.contains("fig-robustness")) makeLines(figure);
    }
  }
}

function makeLines(figure) {
  const algos = [...new Set([...figure.querySelectorAll(".ln")].map((line) => line.dataset.algo))];
  let kept = "";
  const light = (algo) => {
    figure.classList.toggle("one", Boolean(algo));
    for (const line of figure.querySelectorAll(".ln")) line.classList.toggle("on", line.dataset.algo === algo);
    for (const chip of figure.querySelectorAll(".chips button")) chip.setAttribute("aria-pressed", chip.dataset.algo === algo);
  };
  const chips = algos.map((algo) => el("button", { type: "button", "data-algo": algo, "aria-pressed": "false", on: {
    mouseenter: () => light(algo), mouseleave: () => light(kept), focus: () => light(algo), blur: () => light(kept),
    click: () => { kept = kept === algo ? "" : algo; light(kept || algo); },
  } }, method(algo).name));
  figure.querySelector("h3").after(el("div", { class: "chips", role: "group", "aria-label": "Single out a method" }, ...chips));
  for (const line of figure.querySelectorAll(".ln")) {
    line.addEventListener("mouseenter", () => light(line.dataset.algo));
    line.addEventListener("mouseleave", () => light(kept));
  }
}

function makeTips() {
  const tip = byId("tip");
  const hide = () => {
    tip.hidden = true;
    document.querySelector("[aria-describedby='tip']")?.removeAttribute("aria-describedby");
  };
  const place = () => {
    const target = document.querySelector("[aria-describedby='tip']");
    if (!target) return;
    const [at, box] = [target.getBoundingClientRect(), tip.getBoundingClientRect()];
    const left = Math.min(Math.max(8, at.left), innerWidth - box.width - 8);
    const above = at.top - box.height - 8;
    tip.style.left = `${left}px`;
    tip.style.top = `${above > 4 ? above : at.bottom + 8}px`;
  };
  const show = (event) => {
    const target = event.target.closest?.("[data-tip]");
    hide();
    if (!target || !target.dataset.tip) return;
    const home = target.closest("dialog") || document.body;
    if (tip.parentNode !== home) home.append(tip);
    tip.textContent = target.dataset.tip;
    tip.hidden = false;
    target.setAttribute("aria-describedby", "tip");
    place();
  };
  // A finger has neither hover nor, on some phones, focus: a tap on what has a tip shows it, one elsewhere puts it away.
  for (const name of ["mouseover", "focusin", "click"]) document.addEventListener(name, show);
  document.addEventListener("keydown", (event) => { if (event.key === "Escape") hide(); });
  document.addEventListener("scroll", place, true);  // focus scrolls its target into view: the tip goes along
}

function makeTabs() {
  const tabs = [...document.querySelectorAll("[data-tab]")];
  const choose = (tab) => { state.tab = tab.dataset.tab; byId("columns").open = false; update(); };
  tabs.forEach((tab, place) => {
    tab.addEventListener("click", () => choose(tab));
    tab.addEventListener("keydown", (event) => {
      const to = { ArrowRight: place + 1, ArrowLeft: place - 1, Home: 0, End: tabs.length - 1 }[event.key];
      if (to === undefined) return;
      event.preventDefault();
      const next = tabs[(to + tabs.length) % tabs.length];
      choose(next);
      next.focus();
    });
  });
}

function makeTheme() {
  const names = ["auto", "dark", "light"];
  const button = byId("theme");
  const set = (name) => {
    if (name === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = name;
    button.textContent = `Theme: ${name}`;
    button.dataset.now = name;
    try { localStorage.setItem("bisrbench-theme", name); } catch { /* private window: the choice is not kept */ }
  };
  let stored = "auto";
  try { stored = localStorage.getItem("bisrbench-theme") || "auto"; } catch { /* as above */ }
  set(names.includes(stored) ? stored : "auto");
  button.addEventListener("click", () => set(names[(names.indexOf(button.dataset.now) + 1) % names.length]));
}

// Closing is told at once: a dialog's own close event comes later, when another row may be open already.
function closeDrawer() {
  byId("drawer").close();
  document.body.append(byId("tip"));
  byId("tip").hidden = true;
  state.row = "";
  writeHash();
}

function makeDrawer() {
  const drawer = byId("drawer");
  byId("drawer-close").addEventListener("click", closeDrawer);
  drawer.addEventListener("click", (event) => { if (event.target === drawer) closeDrawer(); });
  drawer.addEventListener("close", () => { if (state.row && !drawer.open) closeDrawer(); });  // a gesture of the browser's
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && drawer.open) { event.preventDefault(); closeDrawer(); }
  });
  document.addEventListener("click", (event) => {
    const link = event.target.closest?.("a.pt");
    if (!link) return;
    event.preventDefault();
    const name = link.getAttribute("href").slice("#row=".length);
    if (openNamed(name)) { state.row = name; writeHash(); }
  });
}

function start() {
  for (const table of DATA.tables) unpack(table.columns, table.rows);
  for (const board of DATA.boards) { board.columns = DATA.boardColumns; unpack(board.columns, board.rows); }
  for (const host of document.querySelectorAll("[data-table]")) {
    const key = host.dataset.table;
    if (key === "_score") boardViews(DATA.boards[0], host, document.querySelector("[data-table='_rest']"));
    else if (key !== "_rest") {
      views.set(key, makeView(DATA.tables.find((table) => table.key === key), host));
    }
  }
  makeTabs(); makeFacets(); makeTips(); makeTheme(); makeDrawer();
  if (DATA.boards.length) makeSliders();
  if (DATA.boards.length && NARROW) byId("weights").open = false;
  byId("search").addEventListener("input", (event) => { state.q = event.target.value.slice(0, 200); update(); });
  byId("published").addEventListener("change", (event) => { state.pub = event.target.checked; update(); });
  for (const button of document.querySelectorAll("[data-download]")) {
    button.addEventListener("click", () => download(button.dataset.download));
  }
  document.addEventListener("keydown", (event) => {
    if (event.key === "/" && !event.target.closest("input, select, dialog")) { event.preventDefault(); byId("search").focus(); }
  });
  document.addEventListener("click", (event) => { if (!event.target.closest("#columns")) byId("columns").open = false; });
  const arrive = () => {
    readHash();
    const row = state.row;
    update();
    if (row && !openNamed(row)) { state.row = ""; writeHash(); }
    if (!row && byId("drawer").open) closeDrawer();
  };
  addEventListener("beforeprint", () => { if (views.has(state.tab)) grow(views.get(state.tab), Infinity); });
  addEventListener("hashchange", arrive);
  arrive();
}

readData().then(start).then(() => { document.documentElement.dataset.ready = ""; }, (error) => {
  byId("unread").hidden = false;
  throw error;
});
