// The explanation of one distance, as sg.explain gives it, for the query and parameters shown.

/** The terms of one d_SIM. */
function explain(ranking, parameters, g) {
  const inQuery = new Set(ranking.querySet);
  const gallerySet = ranking.sets[g];
  const [dS, dM] = [ranking.dS[g], ranking.dM[g]];
  const { alpha } = parameters;
  return {
    paths: winningPaths(ranking.direct, near, parameters, g),
    shared: ranking.querySet.filter((h) => gallerySet.includes(h)),
    onlyQuery: ranking.querySet.filter((h) => !gallerySet.includes(h)),
    onlyGallery: gallerySet.filter((h) => !inQuery.has(h)),
    dS, dM, termS: dS === Infinity ? Infinity : alpha * dS, termM: (1 - alpha) * dM,
    dSIM: ranking.stages.sim.distance[g],
  };
}

function showExplanation(state, ranking, choose) {
  const panel = byId("explanation");
  if (state.g === null) {
    panel.replaceChildren(element("p", { class: "hint" }, "Select an image in a list to see how its distance was computed."));
    return;
  }
  const why = explain(ranking, state, state.g);
  panel.replaceChildren(
    explanationHead(state), stageTable(state.g, ranking), equation(why, state.alpha),
    pathTable(why, state, choose), neighborSets(why, state, choose),
  );
}

function explanationHead({ q, g }) {
  const name = nameOf("gallery", g);
  const [match, excluded] = [isMatch(q, g), isExcluded(q, g)];
  const verdict = excluded ? "excluded by the protocol" : { true: "same identity", false: "different identity" }[match] ?? "";
  return element(
    "div", { class: "subject" }, picture("gallery", g, 64),
    element("div", { class: "words" },
      element("h3", {}, `Why ${tag("gallery", g)} for ${tag("query", q)}`),
      name === null ? null : element("p", { class: "name" }, element("bdi", {}, name)),
      element("p", { class: "details" }, element("bdi", {}, details("gallery", g)),
        verdict ? element("span", { class: `verdict ${excluded ? "" : matchClass(match)}` }, verdict) : null)),
  );
}

function stageTable(g, ranking) {
  const before = ranking.stages.baseline.rank[g];
  const rows = STAGES.map(({ key, name }) => {
    const { distance, rank } = ranking.stages[key];
    const place = rank[g] === 0 ? "excluded" : String(rank[g]);
    const moved = key === "baseline" || rank[g] === 0 ? null : movement(before - rank[g]);
    return element("tr", { "data-stage": key }, element("th", { scope: "row" }, name),
      element("td", {}, number(distance[g], 6)), element("td", { class: "place" }, place), element("td", {}, moved));
  });
  return dataTable("stages", "Distance and rank after each stage", ["stage", "distance", "rank", "moved"], rows);
}

function dataTable(id, caption, heads, rows) {
  return element("table", { id, class: "data" }, element("caption", {}, caption),
    element("thead", {}, element("tr", {}, ...heads.map((head) => element("th", { scope: "col" }, head)))),
    element("tbody", {}, ...rows));
}

/** Eq. 8 in numbers, and as a bar of its two terms. */
function equation({ dS, dM, termS, termM, dSIM }, alpha) {
  const bar = element("div", { class: "bar", "aria-hidden": "true" },
    element("span", { class: "term-s" }), element("span", { class: "term-m" }));
  bar.children[0].style.width = `${Math.min(100, 100 * termS)}%`;
  bar.children[1].style.width = `${Math.min(100, 100 * termM)}%`;
  const term = (id, value, digits = 4) => element("span", { id }, number(value, digits));
  return element(
    "div", { id: "equation" },
    element("p", {}, symbol("d", "SIM"), " = α · ", symbol("d", "S"), " + (1 − α) · ", symbol("d", "M")),
    element("p", { class: "values" }, ` = ${+alpha.toPrecision(6)} · `, term("d-s", dS), ` + ${+(1 - alpha).toPrecision(6)} · `, term("d-m", dM)),
    element("p", { class: "values" }, " = ", term("term-s", termS), " + ", term("term-m", termM), " = ",
      element("strong", {}, term("d-sim", dSIM, 6))),
    bar,
  );
}

const symbol = (letter, sub) => element("var", {}, letter, element("sub", {}, sub));

function pathTable({ paths, dS }, state, choose) {
  if (!paths.length) return element("p", {}, "No path reaches this image.");
  const rows = paths.map(({ via, queryHop, galleryHop, length }) =>
    element("tr", { "data-via": via ?? "direct" },
      element("th", { scope: "row" }, via === null ? "direct" : imageButton(via, state, choose)),
      element("td", {}, number(queryHop, 6)), element("td", {}, number(galleryHop, 6)), element("td", {}, number(length, 6))));
  const caption = paths.length === 1 ? "The shortest path" : `The ${paths.length} shortest paths; their mean is d_S`;
  const table = dataTable("paths", caption, ["via", "D_qg", "λ D_gg", "length"], rows);
  table.append(element("tfoot", {}, element("tr", {}, element("th", { scope: "row", colspan: 3 }, "mean"), element("td", {}, number(dS, 6)))));
  return table;
}

function neighborSets({ shared, onlyQuery, onlyGallery }, state, choose) {
  const union = shared.length + onlyQuery.length + onlyGallery.length;
  return element(
    "section", { id: "neighborhoods", "aria-label": "Neighborhoods" },
    element("p", { class: "caption" }, symbol("d", "M"), ` = 1 − ${shared.length} / ${union}`),
    imageSet("shared", "in both neighborhoods", shared, state, choose),
    imageSet("only-query", "only in N_c(q)", onlyQuery, state, choose),
    imageSet("only-gallery", "only in R*(g)", onlyGallery, state, choose),
  );
}

function imageSet(id, caption, members, state, choose) {
  const items = members.map((g) => element("li", {}, imageButton(g, state, choose)));
  return element("div", { class: "set" }, element("h4", { id: `${id}-head` }, `${members.length} ${caption}`),
    element("ul", { id, "aria-labelledby": `${id}-head` }, ...items));
}

/** A button that explains another gallery image. */
function imageButton(g, state, choose) {
  const match = isMatch(state.q, g);
  const button = element(
    "button",
    { type: "button", class: `image ${matchClass(match)}`, "data-image": g, title: details("gallery", g) },
    picture("gallery", g, 22), element("span", {}, tag("gallery", g)), match === null ? null : spoken(match ? " correct" : " wrong"),
  );
  button.addEventListener("click", () => choose(g));
  return button;
}
