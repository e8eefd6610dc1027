// The leaderboard: weights as sliders, ranks anew on every change. The formula is that of bench.scoring.
function currentBoard() {
  return DATA.boards.find((board) => board.scope === state.scope);
}

function weightsNow(board) {
  const chosen = state.weights || DATA.weights;
  return Object.fromEntries(DATA.parts.map((part) => [part.key, measuredPart(board, part.key) ? chosen[part.key] : 0]));
}

function measuredPart(board, part) {
  return Object.entries(board.scaled).some(([algo, parts]) => part in parts && !board.unranked.includes(algo));
}

function overall(scaled, weights) {
  const needed = Object.entries(weights).filter(([, weight]) => weight > 0);
  if (!needed.length || needed.some(([part]) => !(part in scaled))) return null;
  const total = needed.reduce((sum, [, weight]) => sum + weight, 0);
  return 100 * needed.reduce((sum, [part, weight]) => sum + weight * scaled[part], 0) / total;
}

function ranks(values) {
  const rounded = Object.entries(values).map(([algo, value]) => [algo, Math.round(value * 1e9) / 1e9]);
  return Object.fromEntries(rounded.map(([algo, value]) => [algo, 1 + rounded.filter(([, other]) => other > value).length]));
}

function rescore(board) {
  const weights = weightsNow(board);
  const values = Object.fromEntries(board.rows.map((row) => [row.m, overall(board.scaled[row.m], weights)]));
  const ranked = Object.fromEntries(Object.entries(values).filter(([algo, v]) => v !== null && !board.unranked.includes(algo)));
  return { values, ranks: ranks(ranked) };
}

function updateBoard() {
  const board = currentBoard();
  let view = views.get("_score");
  if (view.board !== board) {
    const host = view.host;
    view = makeView({ ...board, key: "_score", ranked: true, columns: board.columns }, host);
    view.board = board;
    views.set("_score", view);
  }
  const { values, ranks: places } = rescore(board);
  const columns = board.columns;
  const at = Object.fromEntries(columns.map((column, index) => [column.key, index]));
  const digits = columns[at.overall].digits;
  const marks = bestOf(Object.keys(places).map((algo) => [algo, Number(fixed(values[algo], digits))]));
  view.rows.forEach((item) => {
    const { row } = item;
    nodeOf(view, item);
    const first = (row.first ??= entryOf(row, at.rank).v ?? null);
    const why = (row.why ??= entryOf(row, at.overall).n || "");
    const missing = DATA.parts.filter((part) => weightsNow(board)[part.key] > 0 && !(part.key in board.scaled[row.m]));
    const reason = missing.map((part) => `${part.title}: ${entryOf(row, at[part.key]).n || "missing"}`).join("; ");
    row.e[at.overall] = { v: values[row.m], k: marks[row.m], n: reason || why };
    row.e[at.rank] = { v: places[row.m] ?? null, n: row.ref ? "a reference is not ranked" : "not ranked: a weighted part is missing" };
    fill(item.cells[at.overall], entryOf(row, at.overall), columns[at.overall], view, row);
    bar(item.cells[at.overall], values[row.m] === null ? null : values[row.m] / 100);
    fill(item.cells[at.rank], entryOf(row, at.rank), columns[at.rank], view, row);
    const moved = first && places[row.m] ? first - places[row.m] : 0;
    if (moved) item.cells[at.rank].append(el("span", { class: "move" }, (moved > 0 ? "\u25b2" : "\u25bc") + Math.abs(moved)));
    for (const part of DATA.parts) bar(item.cells[at[part.key]], board.scaled[row.m][part.key] ?? null);
    item.place = (row.ref ? 2e6 : 0) + (places[row.m] ?? 1e6) + board.rows.indexOf(row) / 1e4;
  });
  updateView(view);
  updateSliders(board);
  byId("scope").value = state.scope;
  for (const figure of document.querySelectorAll("[data-scope]")) {
    figure.hidden = figure.dataset.scope !== state.scope;
    if (!figure.hidden) drawPictures(figure);
  }
}

function bestOf(pairs) {
  const order = [...new Set(pairs.map(([, value]) => value))].sort((a, b) => b - a);
  const best = pairs.filter(([, value]) => value === order[0]);
  if (pairs.length < 2 || (best.length > 1 && 2 * best.length >= pairs.length)) return {};
  const second = best.length > 1 ? [] : pairs.filter(([, value]) => value === order[1]);
  return Object.fromEntries([...best.map(([algo]) => [algo, "best"]), ...second.map(([algo]) => [algo, "second"])]);
}

function bar(cell, share) {
  cell.querySelector(".bar")?.remove();
  if (share === null) return;
  const line = el("span", { class: "bar", "aria-hidden": "true" });
  line.style.width = `${Math.round(100 * Math.min(1, Math.max(0, share)))}%`;
  cell.append(line);
}

function makeSliders() {
  const hosts = DATA.parts.map((part) => {
    const output = el("output", { for: `w-${part.key}` });
    const input = el("input", { type: "range", id: `w-${part.key}`, min: 0, max: 5, step: 0.25, on: {
      input: (event) => {
        state.weights = { ...(state.weights || DATA.weights), [part.key]: Number(event.target.value) };
        update();
      },
    } });
    const label = el("label", { for: `w-${part.key}`, "data-tip": part.help }, part.title, output);
    return el("div", { class: "slider", "data-part": part.key }, label, input);
  });
  byId("sliders").replaceChildren(...hosts);
  const set = (name, weights) => el("button", { type: "button", on: { click: () => { state.weights = weights; update(); } } }, name);
  byId("presets").replaceChildren(
    ...Object.entries(DATA.presets).map(([name, weights]) => set(name[0].toUpperCase() + name.slice(1), { ...weights })),
    set("Reset", null));
  byId("scope").addEventListener("change", (event) => { state.scope = event.target.value; update(); });
}

function updateSliders(board) {
  const weights = weightsNow(board);
  const total = Object.values(weights).reduce((sum, weight) => sum + weight, 0);
  for (const host of document.querySelectorAll(".slider")) {
    const part = host.dataset.part;
    const input = host.querySelector("input");
    const measured = measuredPart(board, part);
    const share = total ? `${Math.round(100 * weights[part] / total)}\u2009%` : "0\u2009%";
    input.disabled = !measured;
    input.value = measured ? weights[part] : 0;
    input.setAttribute("aria-valuetext", measured ? share : "not measured");
    host.classList.toggle("off", !measured);
    host.querySelector("output").textContent = measured ? share : "none yet";
  }
}
