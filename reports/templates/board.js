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

// A reference is put in order with 0 for the parts that it lacks.
function standing(scaled, weights) {
  const total = Object.values(weights).reduce((sum, weight) => sum + weight, 0);
  return total ? 100 * Object.entries(weights).reduce((sum, [part, weight]) => sum + weight * (scaled[part] ?? 0), 0) / total : 0;
}

function lacking(scaled, weights) {
  return DATA.parts.filter((part) => (weights[part.key] > 0 || DATA.required.includes(part.key)) && !(part.key in scaled));
}

function rescore(board) {
  const weights = weightsNow(board);
  const scores = board.rows.map((row) => [row.m, lacking(board.scaled[row.m], weights).length ? null : overall(board.scaled[row.m], weights)]);
  const values = Object.fromEntries(scores);
  const ranked = Object.fromEntries(scores.filter(([algo, v]) => v !== null && !board.unranked.includes(algo)));
  return { values, weights, ranks: ranks(ranked) };
}

function whyNot(board, row, weights) {
  if (method(row.m).bare && !("task" in board.scaled[row.m])) return "no weights here";
  return `lacks ${lacking(board.scaled[row.m], weights).map((part) => part.title).join(", ")}`;
}

// Two views of one board: the ranked with the references as lines at their place, and those not ranked.
const RESTING = ["method", "bits", "why", "task", "comp", "speedup", "file_reduction"];

function boardViews(board, host, restHost) {
  const part = (ranked) => (row) => Boolean(row.ref || row.stands) === ranked;
  const ranked = makeView({ ...board, key: "_score", ranked: true, part: part(true) }, host);
  const columns = board.columns.map((column) => ({ ...column, hidden: !RESTING.includes(column.key) }));
  const rest = makeView({ ...board, columns, key: "_rest", ranked: true, gapless: true, part: part(false) }, restHost);
  ranked.board = board;
  views.set("_score", ranked);
  views.set("_rest", rest);
}

function updateBoard() {
  const board = currentBoard();
  if (views.get("_score").board !== board) boardViews(board, views.get("_score").host, views.get("_rest").host);
  const [view, rest] = [views.get("_score"), views.get("_rest")];
  const { values, weights, ranks: places } = rescore(board);
  const columns = board.columns;
  const at = Object.fromEntries(columns.map((column, index) => [column.key, index]));
  const digits = columns[at.overall].digits;
  const marks = bestOf(Object.keys(places).map((algo) => [algo, Number(fixed(values[algo], digits))]));
  view.rows.forEach((item, place) => {
    const { row } = item;
    row.stands = row.m in places;
    const first = (row.first ??= entryOf(row, at.rank).v ?? null);
    const why = (row.why ??= entryOf(row, at.overall).n || "");
    const reason = lacking(board.scaled[row.m], weights).map((part) => `${part.title}: ${entryOf(row, at[part.key]).n || "missing"}`).join("; ");
    row.e[at.overall] = { v: values[row.m], k: marks[row.m], n: reason || why };
    row.e[at.rank] = { v: places[row.m] ?? null, n: row.ref ? "a reference is not ranked" : "not ranked: a weighted part is missing" };
    row.e[at.why] = { v: row.ref || row.stands ? null : whyNot(board, row, weights), n: reason || why };
    for (const [shown, one] of [[view, item], [rest, rest.rows[place]]]) {
      nodeOf(shown, one);
      for (const key of ["overall", "rank", "why"]) fill(one.cells[at[key]], entryOf(row, at[key]), columns[at[key]], shown, row);
    }
    bar(item.cells[at.overall], values[row.m] === null ? null : values[row.m] / 100);
    const moved = first && places[row.m] ? first - places[row.m] : 0;
    if (moved) item.cells[at.rank].append(el("span", { class: "move" }, (moved > 0 ? "\u25b2" : "\u25bc") + Math.abs(moved)));
    for (const part of DATA.parts) bar(item.cells[at[part.key]], board.scaled[row.m][part.key] ?? null);
    item.place = -(values[row.m] ?? (row.ref ? standing(board.scaled[row.m], weights) : -1e6)) + board.rows.indexOf(row) / 1e6;
  });
  updateView(view);
  updateView(rest);
  byId("rest").hidden = !rest.visible;
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
