// The ranked lists side by side, as a grid with arrow-key navigation.

const STAGES = [
  { key: "baseline", name: "Baseline", formula: "D_qg" },
  { key: "sgr", name: "SGR", formula: "d_S" },
  { key: "mnnr", name: "MNNR", formula: "α D_qg + (1 − α) d_M" },
  { key: "sim", name: "SIM", formula: "α d_S + (1 − α) d_M" },
];

/** Set up the grid once; `choose(gallery)` receives the image that the user selects. */
function buildLists(choose) {
  const grid = byId("lists");
  grid.addEventListener("click", (event) => {
    const cell = event.target.closest("[data-gallery]");
    if (cell) choose(Number(cell.dataset.gallery));
  });
  grid.addEventListener("keydown", (event) => moveInLists(event, choose));
  grid.addEventListener("pointerover", (event) => highlight(event.target.closest("[data-gallery]")));
  grid.addEventListener("pointerleave", () => highlight(null));
  grid.addEventListener("focusin", (event) => highlight(event.target.closest("[data-gallery]")));
  new ResizeObserver(() => highlight(null)).observe(grid);
}

function moveInLists(event, choose) {
  const cell = event.target.closest("[data-gallery]");
  const steps = { ArrowDown: [1, 0], ArrowUp: [-1, 0], ArrowRight: [0, 1], ArrowLeft: [0, -1] };
  if (!cell) return;
  if (event.key === "Enter" || event.key === " ") choose(Number(cell.dataset.gallery));
  else if (event.key in steps) {
    const [down, right] = steps[event.key];
    focusCell(Number(cell.dataset.row) + down, Number(cell.dataset.column) + right);
  } else return;
  event.preventDefault();
}

const cellAt = (row, column) => byId("lists").querySelector(`[data-row="${row}"][data-column="${column}"]`);

function focusCell(row, column) {
  const cell = cellAt(row, column);
  if (!cell) return;
  // Only one cell is in the tab order: the one visited last.
  byId("lists").querySelector('[tabindex="0"]')?.setAttribute("tabindex", "-1");
  cell.setAttribute("tabindex", "0");
  cell.focus();
}

const focusLists = () => byId("lists").querySelector('[tabindex="0"]')?.focus();

function showLists(state, ranking) {
  const focused = document.activeElement?.closest?.("#lists [data-gallery]")?.dataset;
  byId("list-heads").replaceChildren(
    element("th", { scope: "col", class: "rank" }, "#"),
    ...STAGES.map((stage) => headCell(stage, state, ranking)),
  );
  const rows = [...Array(state.top).keys()].filter((row) =>
    STAGES.some(({ key }) => galleryAt(ranking.stages[key], row) !== null));
  byId("list-rows").replaceChildren(...rows.map((row) => listRow(row, state, ranking)));
  const [row, column] = focused ? [focused.row, focused.column] : [0, STAGES.length - 1];
  const stop = cellAt(row, column) ?? cellAt(0, 0);
  stop?.setAttribute("tabindex", "0");
  if (focused) stop?.focus();
  highlight(null);
}

/** The gallery image in a row of a list, or null after its end; images that no path reaches are not listed. */
function galleryAt(stage, row) {
  const g = stage.order[row];
  return g === undefined || stage.distance[g] === Infinity ? null : g;
}

function headCell({ key, name, formula }, state, ranking) {
  const scored = ranking.stages[key].order.filter((g) => !isExcluded(state.q, g));
  const result = scores(scored, (g) => isMatch(state.q, g));
  return element(
    "th", { scope: "col", "data-stage": key, title: formula }, element("span", {}, name),
    result && element(
      "span", { class: "scores" }, "AP ", number(result.averagePrecision, 2),
      element("span", { class: "first" }, ` · first at ${result.first}`),
    ),
  );
}

function listRow(row, state, ranking) {
  const cells = STAGES.map(({ key }, column) => {
    const g = galleryAt(ranking.stages[key], row);
    return g === null ? element("td", {}) : itemCell(g, key, row, column, state, ranking);
  });
  return element("tr", {}, element("th", { scope: "row", class: "rank" }, String(row + 1)), ...cells);
}

function itemCell(g, key, row, column, state, ranking) {
  const { distance, rank } = ranking.stages[key];
  const verdict = isExcluded(state.q, g) ? "excluded" : matchClass(isMatch(state.q, g));
  const name = nameOf("gallery", g);
  return element(
    "td",
    {
      class: `item ${verdict}`, tabindex: "-1", "data-gallery": g, "data-row": row, "data-column": column,
      "aria-selected": String(g === state.g), title: [name, details("gallery", g)].filter(Boolean).join("\n"),
    },
    element("div", { class: "inner" },
      picture("gallery", g, 36),
      element("span", { class: "words" },
        element("span", { class: "line" },
          element("span", { class: "tag" }, mark(verdict), tag("gallery", g), spoken(name ?? "")),
          key === "baseline" ? null : movement(ranking.stages.baseline.rank[g] - rank[g])),
        element("span", { class: "line" },
          element("span", { class: "details" }, element("bdi", {}, shortDetails(g))), number(distance[g])))),
  );
}

/** Next to a thumbnail there is room only for the identity. */
function shortDetails(g) {
  const identity = identityOf("gallery", g);
  return thumbnail("gallery", g) && identity !== null ? `id ${identity}` : details("gallery", g, "c");
}

/** Correct or wrong as a sign, so that color is not the only difference. */
function mark(verdict) {
  const [sign, words] = { correct: ["✓", "correct"], wrong: ["✕", "wrong"], excluded: ["∅", "excluded"] }[verdict] ?? [];
  return sign === undefined ? null
    : element("span", { class: "mark" }, element("span", { "aria-hidden": "true" }, sign), spoken(`${words} `));
}

/** How many ranks an image moved up from the baseline. */
function movement(up) {
  if (up === 0) return element("span", { class: "move same" }, element("span", { "aria-hidden": "true" }, "="), spoken(" unchanged"));
  const [sign, word] = up > 0 ? ["▲", "up"] : ["▼", "down"];
  return element("span", { class: `move ${word}` },
    element("span", { "aria-hidden": "true" }, `${sign}${Math.abs(up)}`), spoken(` ${word} ${Math.abs(up)}`));
}

/** Highlight an image in all lists and connect its positions; null means the explained image. */
function highlight(cell) {
  const g = (cell ?? byId("lists").querySelector("[aria-selected=true]"))?.dataset.gallery;
  const cells = [...byId("lists").querySelectorAll("[data-gallery]")];
  for (const other of cells) other.classList.toggle("highlighted", other.dataset.gallery === g);
  drawTrajectory(cells.filter((other) => other.dataset.gallery === g));
}

function drawTrajectory(cells) {
  const frame = byId("lists").getBoundingClientRect();
  const boxes = cells.map((cell) => cell.getBoundingClientRect());
  boxes.sort((a, b) => a.left - b.left);
  const lines = boxes.slice(1).map((box, i) => {
    const [from, to] = [boxes[i], box];
    const [y1, y2] = [from, to].map(({ top, height }) => top - frame.top + height / 2);
    const [x1, x2] = [from.right - frame.left - 6, to.left - frame.left + 6];
    const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
    const middle = (x1 + x2) / 2;
    path.setAttribute("d", `M${x1},${y1} C${middle},${y1} ${middle},${y2} ${x2},${y2}`);
    return path;
  });
  byId("trajectory").replaceChildren(...lines);
}
