// What is shown, as CSV, JSON or LaTeX.
function shownPart(view) {
  const columns = view.table.columns.map((column, index) => ({ ...column, index })).filter((column) => shownColumn(view, column));
  const rows = ordered(view).filter((item) => matches(item, view)).map((item) => item.row);
  return { columns, rows };
}

function csv({ columns, rows }) {
  const spread = (column) => rows.some((row) => entryOf(row, column.index).s !== undefined);
  const heads = columns.flatMap((column) => [fullHeading(column), ...(spread(column) ? [`${fullHeading(column)} spread`] : [])]);
  const lines = rows.map((row) => columns.flatMap((column) => {
    const entry = entryOf(row, column.index);
    return [entry.v ?? "", ...(spread(column) ? [entry.s ?? ""] : [])];
  }));
  return [heads, ...lines].map((line) => line.map(csvCell).join(",")).join("\r\n") + "\r\n";
}

function csvCell(value) {
  if (typeof value === "number") return String(value);
  const text = /^[=+\-@\t\r]/.test(value) ? "'" + value : value;  // a spreadsheet must not run it
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function json({ columns, rows }) {
  return JSON.stringify(rows.map((row) => ({
    id: row.id, algorithm: row.m, backbone: row.b, scale: row.s, flags: row.f || [],
    values: Object.fromEntries(columns.map((column) => {
      const { v = null, s, d, n, p } = entryOf(row, column.index);
      return [column.key, { value: v, unit: column.unit, spread: s, change_percent: d, note: n,
        published: p && p.map(([value, place]) => [value, ...DATA.places[place]]) }];
    })),
  })), null, 1) + "\n";
}

function latexText(text) {
  return [...text].map((char) => {
    if (DATA.latex[char] !== undefined) return DATA.latex[char];
    if (/[\x00-\x7f\u00a1-\u00ff]/.test(char)) return char;
    const plain = char.normalize("NFKD").replace(/[^\x00-\x7f]/g, "");
    return [...plain].map((part) => DATA.latex[part] ?? part).join("") || "?";
  }).join("");
}

function latexCell(entry, column) {
  if (entry.v === null || entry.v === undefined) return latexText(DASH);
  if (column.text) return latexText(String(entry.v));
  let text = fixed(entry.v, column.digits ?? 0);
  if (entry.s !== undefined) text += ` (${fixed(entry.s, column.digits ?? 0)})`;
  text = latexText(text);
  if (entry.k) text = `\\${entry.k}{${text}}`;
  return entry.d === undefined ? text : `${text} \\${entry.d <= 0 ? "down" : "up"}{${fixed(Math.abs(entry.d), 1)}}`;
}

// A document that pdflatex compiles as it is; a paper takes the tabular and the four macros out of it.
function latex(part) {
  return `${DATA.preamble}\\noindent\\resizebox{\\ifdim\\width>\\linewidth\\linewidth\\else\\width\\fi}{!}{%\n${tabular(part)}}\n\\end{document}\n`;
}

// The same tabular as Python's reports.latex.tabular, of what is shown.
function tabular({ columns, rows }) {
  const filled = (column) => rows.some((row) => ![null, undefined, ""].includes(entryOf(row, column.index).v));
  const kept = columns.filter((column) => column.key !== "scale" && filled(column));
  const lines = [`\\begin{tabular}{${kept.map((column) => (column.text ? "l" : "r")).join("")}}`, "\\toprule"];
  const spans = [];
  kept.forEach((column, place) => {
    const last = spans[spans.length - 1];
    if (last && last.group === (column.group || "")) last.count += 1;
    else spans.push({ group: column.group || "", first: place + 1, count: 1 });
  });
  if (spans.some((span) => span.group)) {
    lines.push(spans.map((span) => (span.count > 1 ? `\\multicolumn{${span.count}}{c}{${latexText(span.group)}}` : latexText(span.group)))
      .join(" & ") + " \\\\");
    lines.push(spans.filter((span) => span.group)
      .map((span) => `\\cmidrule(lr){${span.first}-${span.first + span.count - 1}}`).join(" "));
  }
  lines.push(kept.map((column) => latexText(heading(column))).join(" & ") + " \\\\", "\\midrule");
  let scale = 0;
  for (const row of [...rows].sort((a, b) => (a.s || 0) - (b.s || 0))) {
    if (row.s && row.s !== scale) {
      if (scale) lines.push("\\midrule");
      lines.push(`\\multicolumn{${kept.length}}{l}{$\\times$${row.s}} \\\\`);
      scale = row.s;
    }
    lines.push(kept.map((column) => latexCell(entryOf(row, column.index), column)).join(" & ") + " \\\\");
  }
  return [...lines, "\\bottomrule", "\\end{tabular}", ""].join("\n");
}

const FORMATS = { csv: [csv, "text/csv"], json: [json, "application/json"], tex: [latex, "application/x-tex"] };

function download(kind) {
  const view = views.get(state.tab);
  if (!view) return;
  const [make, type] = FORMATS[kind];
  const url = URL.createObjectURL(new Blob([make(shownPart(view))], { type: `${type};charset=utf-8` }));
  const link = el("a", { href: url, download: `bisrbench-${state.tab.replace(/^_/, "")}.${kind}` });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(url), 10000);
}
