// The list of queries: search, filters, and a list box that draws only the visible rows.

const ROW_HEIGHT = 48;
const OUTCOME_WORDS = { lost: "SIM lost rank-1", won: "SIM won rank-1", missed: "no method has rank-1" };
const OUTCOME_SIGNS = { lost: "−", won: "+", missed: "×" };

/** The outcome of a query at the parameters that the page was made with; null without identities. */
function outcomeOf(query) {
  if (!about.first_rank) return null;
  const first = about.first_rank;
  if (first.baseline[query] === 0) return "none";
  const [before, after] = [first.baseline[query] === 1, first.sim[query] === 1];
  if (before !== after) return before ? "lost" : "won";
  return Object.values(first).every((ranks) => ranks[query] !== 1) ? "missed" : "kept";
}

/** Whether a query matches every word of a search by its tag, name, identity or camera. */
function matchesSearch(query, words) {
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
      matchesSearch(query, words),
  );
}

/** Build search and filters once; `filter(values)` receives what the user sets. */
function buildQueries(filter) {
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
  new ResizeObserver(() => list.onscroll?.()).observe(list);
}

/** Arrow keys select another query at once; Enter moves on to its lists. */
function moveQuery(event, queries, query, choose) {
  const page = Math.max(1, Math.floor(byId("queries").clientHeight / ROW_HEIGHT) - 1);
  const last = queries.length - 1;
  const at = queries.indexOf(query);
  const places = { ArrowDown: at + 1, ArrowUp: at < 0 ? 0 : at - 1, PageDown: at + page, PageUp: at - page, Home: 0, End: last };
  if (event.key === "Enter") focusLists();
  else if (event.key in places && last >= 0) choose(queries[Math.min(last, Math.max(0, places[event.key]))]);
  else return;
  event.preventDefault();
}

/** Show the queries that pass the filters; `choose(query)` receives the one that the user selects. */
function showQueries(state, choose) {
  for (const id of ["find", "identity", "camera", "outcome"]) {
    if (byId(id).value !== state[id]) byId(id).value = state[id];
  }
  const queries = filteredQueries(state);
  const all = about.query.count;
  byId("query-count").textContent = queries.length === all ? `${all} queries` : `${queries.length} of ${all} queries`;
  byId("query-rows").style.height = `${queries.length * ROW_HEIGHT}px`;
  listenToQueries(queries, state.q, choose);
  scrollToQuery(queries, state.q);
  drawRows(queries, state.q);
}

/** Each state replaces the handlers of the one before, so that none reads an old list. */
function listenToQueries(queries, query, choose) {
  const list = byId("queries");
  list.onscroll = () => drawRows(queries, query);
  list.onkeydown = (event) => moveQuery(event, queries, query, choose);
  list.onclick = (event) => {
    const row = event.target.closest("[role=option]");
    if (row) choose(Number(row.dataset.query));
  };
  const step = (by) => () => {
    const at = queries.indexOf(query);
    const next = queries[at < 0 ? 0 : at + by];
    if (next !== undefined) choose(next);
  };
  byId("previous").onclick = step(-1);
  byId("next").onclick = step(1);
}

function scrollToQuery(queries, query) {
  const [list, at] = [byId("queries"), queries.indexOf(query)];
  if (at < 0) return;
  const [top, bottom] = [at * ROW_HEIGHT, (at + 1) * ROW_HEIGHT];
  if (top < list.scrollTop) list.scrollTop = top;
  if (bottom > list.scrollTop + list.clientHeight) list.scrollTop = bottom - list.clientHeight;
}

/** Draw the rows in view, and two more at either end. */
function drawRows(queries, query) {
  const list = byId("queries");
  const first = Math.max(0, Math.floor(list.scrollTop / ROW_HEIGHT) - 2);
  const past = Math.ceil((list.scrollTop + list.clientHeight) / ROW_HEIGHT) + 2;
  const inView = queries.slice(first, past);
  const rows = inView.map((shown, i) => queryRow(shown, first + i, queries.length, shown === query));
  byId("query-rows").replaceChildren(...rows);
  if (inView.includes(query)) list.setAttribute("aria-activedescendant", `query-${query}`);
  else list.removeAttribute("aria-activedescendant");
}

function queryRow(query, place, count, selected) {
  const outcome = outcomeOf(query);
  const sign = outcome in OUTCOME_SIGNS
    ? element("span", { class: `outcome ${outcome}`, title: OUTCOME_WORDS[outcome] },
        element("span", { "aria-hidden": "true" }, OUTCOME_SIGNS[outcome]), spoken(OUTCOME_WORDS[outcome]))
    : null;
  const name = nameOf("query", query);
  const row = element(
    "div",
    {
      role: "option", id: `query-${query}`, "data-query": query, "aria-selected": String(selected),
      "aria-posinset": place + 1, "aria-setsize": count, title: name,
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
