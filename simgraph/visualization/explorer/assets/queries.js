// The list of queries: search, filters, and a list box that draws only the rows in view.

const ROW_HEIGHT = 48;
const OUTCOME_WORDS = { lost: "SIM lost rank-1", won: "SIM won rank-1", missed: "no method has rank-1" };
const OUTCOME_SIGNS = { lost: "−", won: "+", missed: "×" };

let shownQueries = [];

/** What became of each query at the page's own parameters; null where identities are unknown. */
function outcomeOf(query) {
  if (!about.first_rank) return null;
  const first = about.first_rank;
  if (first.baseline[query] === 0) return "none";
  const [before, after] = [first.baseline[query] === 1, first.sim[query] === 1];
  if (before !== after) return before ? "lost" : "won";
  return Object.values(first).every((ranks) => ranks[query] !== 1) ? "missed" : "kept";
}

/** Whether a query fits every word of a search: its tag, name, identity or camera. */
function fitsSearch(query, words) {
  const fields = [nameOf("query", query), identityOf("query", query)];
  const text = fields.filter((field) => field !== null).join("\n").toLowerCase();
  return words.every((word) => {
    const [, what, value] = word.match(/^(id|cam):(.+)$/) ?? [];
    if (what === "id") return identityOf("query", query)?.toLowerCase() === value;
    if (what === "cam") return String(cameraOf("query", query)) === value;
    return word === `q${query}` || word === String(query) || text.includes(word);
  });
}

function filteredQueries({ find, identity, camera, outcome }) {
  const words = find.toLowerCase().split(/\s+/).filter(Boolean);
  return [...Array(about.query.count).keys()].filter(
    (query) =>
      (identity === "" || identityOf("query", query) === identity) &&
      (camera === "" || String(cameraOf("query", query)) === camera) &&
      (outcome === "all" || outcomeOf(query) === outcome) &&
      fitsSearch(query, words),
  );
}

/** Build search and filters once; `filter(values)` takes those, `choose(query)` a chosen query. */
function buildQueries(filter, choose) {
  const fill = (id, values, prefix) => {
    const known = [...new Set(values)].filter((value) => value !== null);
    known.sort((a, b) => a.localeCompare(b, undefined, { numeric: true }));
    byId(id).append(...known.map((value) => element("option", { value }, `${prefix} ${value}`)));
    byId(id).closest("label").hidden = known.length === 0;
  };
  const queries = [...Array(about.query.count).keys()];
  fill("identity", queries.map((query) => identityOf("query", query)), "identity");
  fill("camera", queries.map((q) => cameraOf("query", q)).map((c) => (c === null ? null : String(c))), "camera");
  byId("outcome").closest("label").hidden = !about.first_rank;
  for (const id of ["find", "identity", "camera", "outcome"]) {
    byId(id).addEventListener("input", (event) => filter({ [id]: event.target.value }));
  }
  const list = byId("queries");
  list.addEventListener("scroll", () => drawRows());
  list.addEventListener("keydown", (event) => moveQuery(event, choose));
  list.addEventListener("click", (event) => {
    const row = event.target.closest("[role=option]");
    if (row) choose(Number(row.dataset.query));
  });
  new ResizeObserver(() => drawRows()).observe(list);
}

/** Arrow keys choose the next query at once; Enter goes on to its lists. */
function moveQuery(event, choose) {
  const page = Math.max(1, Math.floor(byId("queries").clientHeight / ROW_HEIGHT) - 1);
  const last = shownQueries.length - 1;
  const at = shownQueries.indexOf(current.q);
  const places = { ArrowDown: at + 1, ArrowUp: at < 0 ? 0 : at - 1, PageDown: at + page, PageUp: at - page, Home: 0, End: last };
  if (event.key === "Enter") focusLists();
  else if (event.key in places && last >= 0) choose(shownQueries[Math.min(last, Math.max(0, places[event.key]))]);
  else return;
  event.preventDefault();
}

function showQueries(state) {
  for (const id of ["find", "identity", "camera", "outcome"]) {
    if (byId(id).value !== state[id]) byId(id).value = state[id];
  }
  shownQueries = filteredQueries(state);
  const all = about.query.count;
  byId("query-count").textContent =
    shownQueries.length === all ? `${all} queries` : `${shownQueries.length} of ${all} queries`;
  byId("query-rows").style.height = `${shownQueries.length * ROW_HEIGHT}px`;
  scrollToQuery(state.q);
  drawRows();
}

function scrollToQuery(query) {
  const [list, at] = [byId("queries"), shownQueries.indexOf(query)];
  if (at < 0) return;
  const [top, bottom] = [at * ROW_HEIGHT, (at + 1) * ROW_HEIGHT];
  if (top < list.scrollTop) list.scrollTop = top;
  if (bottom > list.scrollTop + list.clientHeight) list.scrollTop = bottom - list.clientHeight;
}

function drawRows() {
  const list = byId("queries");
  const first = Math.max(0, Math.floor(list.scrollTop / ROW_HEIGHT) - 2);
  const past = Math.ceil((list.scrollTop + list.clientHeight) / ROW_HEIGHT) + 2;
  const inView = shownQueries.slice(first, past);
  byId("query-rows").replaceChildren(...inView.map((query, i) => queryRow(query, first + i)));
  if (inView.includes(current.q)) list.setAttribute("aria-activedescendant", `query-${current.q}`);
  else list.removeAttribute("aria-activedescendant");
}

function queryRow(query, place) {
  const outcome = outcomeOf(query);
  const sign = outcome in OUTCOME_SIGNS
    ? element("span", { class: `outcome ${outcome}`, title: OUTCOME_WORDS[outcome] },
        element("span", { "aria-hidden": "true" }, OUTCOME_SIGNS[outcome]), spoken(OUTCOME_WORDS[outcome]))
    : null;
  const name = nameOf("query", query);
  const row = element(
    "div",
    {
      role: "option", id: `query-${query}`, "data-query": query, "aria-selected": String(query === current.q),
      "aria-posinset": place + 1, "aria-setsize": shownQueries.length, title: name,
    },
    picture("query", query, 36),
    element("span", { class: "words" },
      element("span", { class: "tag" }, tag("query", query), name === null ? null : element("bdi", { class: "name" }, name)),
      element("span", { class: "details" }, element("bdi", {}, details("query", query)))),
    sign,
  );
  row.style.top = `${place * ROW_HEIGHT}px`;
  return row;
}
