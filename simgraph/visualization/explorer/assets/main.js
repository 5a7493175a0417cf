// From the address to what is shown, and back.

let current = null;
let ranked = { key: null, ranking: null };

/** The ranking of a state's query; computed again when query or parameters changed. */
function rankingOf(state) {
  const keys = ["q", "as_scored", ...Object.keys(about.parameters)];
  const key = JSON.stringify(keys.map((name) => state[name]));
  if (ranked.key !== key) {
    const keep = state.as_scored ? (g) => !isLeftOut(state.q, g) : () => true;
    ranked = { key, ranking: rankQuery(queryDistances(state.q), near, state, keep) };
  }
  return ranked.ranking;
}

/** Show a state whole. */
function show(state) {
  current = state;
  const ranking = rankingOf(state);
  const explainItem = (g) => update({ g }, true);
  showControls(state);
  showQueries(state);
  showSubject(state);
  showLists(state, ranking);
  showExplanation(state, ranking, explainItem);
  showGraph(state, ranking, explainItem);
}

/** Take a change; `step` makes it one that the browser's back button undoes. */
function update(changes, step = false) {
  const state = valid({ ...current, ...changes });
  const address = formatFragment(state);
  if (address !== location.hash) history[step ? "pushState" : "replaceState"](null, "", address);
  show(state);
  announce(summary(state, rankingOf(state)));
}

function summary({ q, g }, { stages }) {
  const where = ({ rank }, item) => (rank[item] === 0 ? "left out" : `rank ${rank[item]}`);
  if (g !== null) {
    return `${tag("gallery", g)} for ${tag("query", q)}: baseline ${where(stages.baseline, g)}, SIM ${where(stages.sim, g)}`;
  }
  return `${tag("query", q)}: SIM puts ${tag("gallery", stages.sim.order[0])} first`;
}

/** The query that is shown. */
function showSubject({ q }) {
  const name = nameOf("query", q);
  byId("subject").replaceChildren(...[
    picture("query", q, 56),
    element("div", { class: "words" },
      element("h2", {}, `Query ${tag("query", q)}`),
      name === null ? null : element("p", { class: "name" }, element("bdi", {}, name)),
      element("p", { class: "details" }, element("bdi", {}, details("query", q)))),
  ].filter(Boolean));
}

/** What the page is of, and how exact it is. */
function showAbout() {
  document.title = `${about.title} · simgraph explorer`;
  byId("title").textContent = about.title;
  byId("sizes").textContent = `${about.query.count} queries × ${about.gallery.count} gallery images`;
  byId("precision").textContent = about.distances.precision;
  byId("scores").replaceChildren(...STAGES.filter(({ key }) => about.scores?.[key]).map(({ key, name }) =>
    element("li", {}, element("span", {}, `${name} `), number(100 * about.scores[key].rank1, 1), " / ", number(100 * about.scores[key].mAP, 1))));
  byId("scores-head").hidden = !about.scores;
}

function begin() {
  showAbout();
  const step = (by) => () => {
    const at = shownQueries.indexOf(current.q);
    const next = shownQueries[at < 0 ? 0 : at + by];
    if (next !== undefined) update({ q: next, g: null }, true);
  };
  byId("previous").addEventListener("click", step(-1));
  byId("next").addEventListener("click", step(1));
  buildControls((changes) => update(changes));
  buildQueries((changes) => update(changes), (q) => update({ q, g: null }, true));
  buildLists((g) => update({ g }, true));
  window.addEventListener("hashchange", () => show(parseFragment(location.hash)));
  show(parseFragment(location.hash));
  document.documentElement.dataset.ready = "true";
  performance.mark("ready");
}

begin();
