"use strict";
(() => {
  const data = JSON.parse(document.getElementById("slice-data").textContent);
  const at = (id) => document.getElementById(id);
  const step = 100;
  const state = { model: 0, sort: data.primary, worst: true, shown: step, visible: new Set(data.visible) };
  const entities = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };
  const text = (value) => String(value).replace(/[&<>"]/g, (each) => entities[each]);
  const number = (value) => {
    if (value === null || value === undefined) return "\u2013";
    const size = Math.abs(value);
    if (Number.isInteger(value) && size < 1e9) return value.toLocaleString("en-US");
    if (value !== 0 && (size < 1e-3 || size >= 1e6)) return value.toExponential(2);
    const digits = size < 10 ? 4 : 2;
    return value.toLocaleString("en-US", { maximumFractionDigits: digits, minimumFractionDigits: size < 10 ? 0 : 2 });
  };
  const cell = (series, column, row) => (series && series[column] ? series[column][row] : null);
  const model = () => data.models[state.model];
  const change = (column, row) => {
    const told = cell(model().changes, column, row);
    if (told !== null) return told;
    const own = cell(model().values, column, row);
    const other = data.baseline ? cell(data.baseline.values, column, row) : null;
    return own === null || other === null ? null : own - other;
  };
  const key = (row) => {
    if (state.sort === "name") return null;
    if (state.sort === "examples") return data.examples[row];
    return cell(model().values, state.sort, row);
  };
  const chosen = () => {
    const words = at("find").value.trim().toLowerCase().split(/\s+/).filter(Boolean);
    const by = at("by") ? at("by").value : "";
    const least = at("least") ? Number(at("least").value) || 0 : 0;
    const rows = [];
    for (let row = 0; row < data.slices.length; row += 1) {
      const name = data.slices[row].toLowerCase();
      if (!words.every((word) => name.includes(word))) continue;
      if (by !== "" && data.by[row] !== Number(by)) continue;
      if (least && !(data.examples[row] >= least)) continue;
      rows.push(row);
    }
    const sign = (column) => (typeof column === "number" && data.columns[column].better < 0 ? -1 : 1);
    const rising = (state.sort === "name" || typeof state.sort === "number" ? 1 : -1) * sign(state.sort) * (state.worst ? 1 : -1);
    const keys = new Map(rows.map((row) => [row, key(row)]));
    rows.sort((a, b) => {
      if (state.sort === "name") return rising * data.slices[a].localeCompare(data.slices[b], "en", { numeric: true });
      const [x, y] = [keys.get(a), keys.get(b)];
      if (x === null || y === null) return (x === null) - (y === null) || a - b;
      return rising * (x - y) || a - b;
    });
    const whole = rows.filter((row) => data.slices[row] === "Overall");
    return [...whole, ...rows.filter((row) => data.slices[row] !== "Overall")];
  };
  // The plane is made for the values. Of an interval that is far wider, its middle part is drawn.
  const ranges = (column, rows) => {
    const sides = [model(), data.baseline].filter(Boolean);
    const numbers = (part) =>
      rows.flatMap((row) => sides.map((side) => cell(side[part], column, row))).filter((each) => each !== null);
    const values = [...numbers("values"), ...Object.values(data.columns[column].bounds)];
    if (!values.length) return [0, 1];
    let [low, high] = [Math.min(...values), Math.max(...values)];
    const room = high - low || Math.abs(high) || 1;
    low = Math.min(low, Math.max(low - room, Math.min(...numbers("lower"), low)));
    high = Math.max(high, Math.min(high + room, Math.max(...numbers("upper"), high)));
    return low < high ? [low, high] : [low - 1, high + 1];
  };
  const drawing = (column, row, [low, high], whole) => {
    const place = (value) => (6 + (148 * (Math.min(high, Math.max(low, value)) - low)) / (high - low)).toFixed(1);
    const line = (x, kind) => `<line class="${kind}" x1="${x}" x2="${x}" y1="1" y2="21"/>`;
    let parts = '<line class="grid" x1="6" x2="154" y1="11" y2="11"/>';
    for (const bound of Object.values(data.columns[column].bounds)) parts += line(place(bound), "bound");
    const middle = whole === null ? null : cell(model().values, column, whole);
    if (middle !== null) parts += line(place(middle), "diagonal");
    const mark = (side, colour, y) => {
      const value = side ? cell(side.values, column, row) : null;
      if (value === null) return;
      const [from, to] = [cell(side.lower, column, row), cell(side.upper, column, row)];
      if (from !== null && to !== null)
        parts += `<line class="range ${colour}" x1="${place(from)}" x2="${place(to)}" y1="${y}" y2="${y}"/>`;
      parts += `<circle class="dot ${colour}" cx="${place(value)}" cy="${y}" r="3.5"/>`;
    };
    mark(data.baseline, "s1", 15);
    mark(model(), "s0", data.baseline ? 7 : 11);
    return `<svg width="160" height="22" viewBox="0 0 160 22" role="img" aria-label="range">${parts}</svg>`;
  };
  const head = (columns) => {
    const arrow = (column) => (state.sort === column ? (state.worst ? " \u25BE" : " \u25B4") : "");
    const button = (column, words, kind) =>
      `<th class="${kind}" aria-sort="${state.sort === column ? (state.worst ? "ascending" : "descending") : "none"}">` +
      `<button type="button" data-sort="${column}">${text(words)}${arrow(column)}</button></th>`;
    let made = button("name", "Slice", "");
    if (data.examples) made += button("examples", "Examples", "num");
    if (typeof state.sort === "number") made += "<th></th>";
    return made + columns.map((column) => button(column, data.columns[column].words, "num")).join("");
  };
  const figure = (column, row) => {
    const { bounds, better } = data.columns[column];
    const value = cell(model().values, column, row);
    const [from, to] = [cell(model().lower, column, row), cell(model().upper, column, row)];
    const missed = value !== null && (value < bounds.lower || value > bounds.upper);
    let made = `<span class="${missed ? "missed" : ""}">${number(value)}</span>`;
    if (from !== null && to !== null) made += `<small>${number(from)} to ${number(to)}</small>`;
    if (data.baseline) {
      const moved = change(column, row);
      const kind = !moved || !better ? "" : moved * better > 0 ? "up" : "down";
      const shown = moved === null ? "" : `${moved > 0 ? "+" : ""}${number(moved)}`;
      made += `<small class="${kind}">${shown}</small>`;
    }
    return `<td class="num">${made}</td>`;
  };
  const show = () => {
    const rows = chosen();
    const part = rows.slice(0, state.shown);
    const columns = [...state.visible];
    const drawn = typeof state.sort === "number" ? ranges(state.sort, part) : null;
    const first = data.slices.indexOf("Overall");
    at("slice-head").innerHTML = head(columns);
    at("slice-rows").innerHTML = part
      .map((row) => {
        let made = `<td class="slice">${text(data.slices[row])}</td>`;
        if (data.examples) made += `<td class="num">${number(data.examples[row])}</td>`;
        if (drawn) made += `<td class="forest">${drawing(state.sort, row, drawn, first < 0 ? null : first)}</td>`;
        if (data.notes[data.slices[row]]) made += `<td class="muted" colspan="${columns.length}">${text(data.notes[data.slices[row]])}</td>`;
        else made += columns.map((column) => figure(column, row)).join("");
        return `<tr class="${row === first ? "overall" : ""}">${made}</tr>`;
      })
      .join("");
    at("count").textContent = `${number(rows.length)} of ${number(data.slices.length)} slices`;
    at("more").hidden = rows.length <= state.shown;
    at("more").textContent = `show ${number(Math.min(step, rows.length - state.shown))} more`;
  };
  const again = () => {
    state.shown = step;
    show();
  };
  at("slice-head").addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    const sort = /^\d+$/.test(button.dataset.sort) ? Number(button.dataset.sort) : button.dataset.sort;
    state.worst = state.sort === sort ? !state.worst : true;
    state.sort = sort;
    again();
  });
  at("more").addEventListener("click", () => {
    state.shown += step;
    show();
  });
  for (const id of ["find", "least"]) if (at(id)) at(id).addEventListener("input", again);
  if (at("by")) at("by").addEventListener("change", again);
  if (at("model"))
    at("model").addEventListener("change", (event) => {
      state.model = Number(event.target.value);
      again();
    });
  if (at("columns"))
    at("columns").addEventListener("change", (event) => {
      const column = Number(event.target.value);
      if (event.target.checked) state.visible.add(column);
      else state.visible.delete(column);
      show();
    });
  at("slice-controls").hidden = false;
  show();
})();
