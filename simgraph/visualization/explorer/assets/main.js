// From the address to what the page shows, and back.

let lastRanking = { key: null, ranking: null };

/** The ranking of a state's query; computed again when query or parameters change. */
function rankingOf(state) {
  const keys = ["q", "as_scored", ...Object.keys(about.parameters)];
  const key = JSON.stringify(keys.map((name) => state[name]));
  if (lastRanking.key !== key) {
    const keep = state.as_scored ? (g) => !isExcluded(state.q, g) : () => true;
    lastRanking = { key, ranking: rankQuery(queryDistances(state.q), near, state, keep) };
  }
  return lastRanking.ranking;
}

/** Show a state; `chooseQuery` and `explainImage` receive what the user selects next. */
function show(state, chooseQuery, explainImage) {
  const ranking = rankingOf(state);
  showControls(state);
  showQueries(state, chooseQuery);
  showSubject(state);
  showLists(state, ranking);
  showExplanation(state, ranking, explainImage);
  showGraph(state, ranking, explainImage);
}

/** Write a state to the address; `step` makes it one that the browser's back button undoes. */
function writeAddress(state, step) {
  const address = formatFragment(state);
  if (address !== location.hash) history[step ? "pushState" : "replaceState"](null, "", address);
}

function summary({ q, g }, { stages }) {
  const where = ({ rank }, image) => (rank[image] === 0 ? "excluded" : `rank ${rank[image]}`);
  if (g !== null) {
    return `${tag("gallery", g)} for ${tag("query", q)}: baseline ${where(stages.baseline, g)}, SIM ${where(stages.sim, g)}`;
  }
  return `${tag("query", q)}: SIM ranks ${tag("gallery", stages.sim.order[0])} first`;
}

/** The current query, above the lists. */
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

/** Title, sizes and scores of the trial, and the precision of the distances. */
function showAbout() {
  document.title = `${about.title} · simgraph explorer`;
  byId("title").textContent = about.title;
  byId("sizes").textContent = `${about.query.count} queries × ${about.gallery.count} gallery images`;
  byId("precision").textContent = about.distances.precision;
  byId("scores").replaceChildren(...STAGES.filter(({ key }) => about.scores?.[key]).map(({ key, name }) =>
    element("li", {}, element("span", {}, `${name} `), number(100 * about.scores[key].rank1, 1), " / ", number(100 * about.scores[key].mAP, 1))));
  byId("scores-head").hidden = !about.scores;
}

/** Build the page once. Only this function holds the current state; all others receive it. */
function begin() {
  let state = parseFragment(location.hash);
  const explainImage = (g) => update({ g }, true);
  const chooseQuery = (q) => update({ q, g: null }, true);
  const showState = () => show(state, chooseQuery, explainImage);
  const update = (changes, step = false) => {
    state = valid({ ...state, ...changes });
    writeAddress(state, step);
    showState();
    announce(summary(state, rankingOf(state)));
  };
  showAbout();
  buildControls((changes) => update(changes));
  buildQueries((changes) => update(changes));
  buildLists(explainImage);
  window.addEventListener("hashchange", () => {
    state = parseFragment(location.hash);
    showState();
  });
  showState();
  document.documentElement.dataset.ready = "true";
  performance.mark("ready");
}

begin();
