// The neighbor graph of the query or of the explained image; d3 computes the layout.

const GRAPH = { width: 640, height: 400, most: 48 };

/** A graph of few images has room for larger ones. */
const radiusOf = (nodes) => (nodes.length <= 24 ? 19 : 13);

/** Nodes and links: the query, the explained image, its winning paths, both neighborhoods. */
function graphOf(state, ranking) {
  const why = state.g === null ? null : explain(ranking, state, state.g);
  const winners = why ? why.paths : [];
  const vias = winners.map(({ via }) => via ?? state.g);
  const wanted = why
    ? [state.g, ...vias, ...why.shared, ...why.onlyQuery, ...why.onlyGallery]
    : ranking.querySet;
  const shown = [...new Set(wanted)].slice(0, GRAPH.most);
  const inGallerySet = new Set(why ? ranking.sets[state.g] : []);
  const inQuerySet = new Set(ranking.querySet);
  const nodes = [
    { id: "q", side: "query", image: state.q },
    ...shown.map((g) => ({
      id: g, side: "gallery", image: g, chosen: g === state.g,
      shared: inQuerySet.has(g) && inGallerySet.has(g), winning: vias.includes(g),
    })),
  ];
  const links = [
    ...galleryLinks(shown, state.k),
    ...shown.filter((g) => inQuerySet.has(g) || g === state.g)
      .map((g) => ({ source: "q", target: g, kind: "match", weight: ranking.direct[g] })),
    ...winners.flatMap((path) => pathLinks(path, state.g)),
  ].filter(({ weight }) => weight !== Infinity);
  return { nodes, links };
}

/** Edges between shown images that are mutual k-nearest neighbors. */
function galleryLinks(shown, k) {
  const places = (g) => near.index.subarray(g * near.size, g * near.size + k);
  return shown.flatMap((g) =>
    shown.flatMap((h) => {
      const place = places(g).indexOf(h);
      if (h <= g || place < 0 || !places(h).includes(g)) return [];
      return [{ source: g, target: h, kind: "near", weight: near.distance[g * near.size + place] }];
    }));
}

function pathLinks({ via, queryHop, galleryHop }, g) {
  const first = { source: "q", target: via ?? g, kind: "path", weight: queryHop };
  return via === null ? [first] : [first, { source: via, target: g, kind: "path", weight: galleryHop }];
}

let simulation = null;

function showGraph(state, ranking, choose) {
  const { nodes, links } = graphOf(state, ranking);
  byId("graph-words").textContent = graphInWords(state, nodes, links);
  const canvas = d3.select("#graph");
  canvas.selectAll("*").remove();
  canvas.attr("viewBox", `0 0 ${GRAPH.width} ${GRAPH.height}`);
  const layer = canvas.append("g");
  const zoom = d3.zoom().scaleExtent([0.4, 6]).on("zoom", ({ transform }) => layer.attr("transform", transform));
  canvas.call(zoom).call(zoom.transform, d3.zoomIdentity).on("dblclick.zoom", null);
  simulation?.stop();
  simulation = layout(nodes, links, ranking, state.g);
  const lines = drawLinks(layer, links);
  const dots = drawNodes(layer, nodes, state, choose);
  const place = () => {
    lines.attr("x1", (l) => l.source.x).attr("y1", (l) => l.source.y).attr("x2", (l) => l.target.x).attr("y2", (l) => l.target.y);
    dots.attr("transform", ({ x, y }) => `translate(${x},${y})`);
  };
  place();
  simulation.on("tick", place);
  dots.call(dragging(simulation));
}

/** Run the simulation before drawing, so that nodes move only when the user drags one. */
function layout(nodes, links, ranking, chosen) {
  const { width, height } = GRAPH;
  const simulation = d3.forceSimulation(nodes)
    .force("link", d3.forceLink(links).id(({ id }) => id).distance(40).strength(({ kind }) => (kind === "near" ? 0.2 : 0.02)))
    .force("charge", d3.forceManyBody().strength(-240))
    .force("collide", d3.forceCollide(radiusOf(nodes) + 6))
    .force("frame", () => nodes.forEach((node) => {
      node.x = Math.min(width - 24, Math.max(24, node.x));
      node.y = Math.min(height - 34, Math.max(24, node.y));
    }));
  const place = chosen === null ? aroundQuery : fromQueryToImage;
  place(simulation, nodes, ranking, chosen);
  simulation.stop().tick(240);
  return simulation;
}

const pin = (node, x) => Object.assign(node, { fx: x * GRAPH.width, fy: GRAPH.height / 2 });

/** The query in the middle, the images around it at radii that grow with the distance. */
function aroundQuery(simulation, nodes, ranking) {
  const { width, height } = GRAPH;
  const distance = ({ side, image }) => (side === "query" ? 0 : ranking.direct[image]);
  const reached = nodes.slice(1).map(distance).filter((d) => d !== Infinity);
  const radius = d3.scaleLinear(d3.extent(reached), [0.22 * height, 0.46 * height]).clamp(true);
  pin(nodes[0], 0.5);
  simulation.force("around", d3.forceRadial((node) => radius(distance(node)), width / 2, height / 2).strength(0.9));
}

/** The query on the left, the explained image on the right, the winning paths between them. */
function fromQueryToImage(simulation, nodes, ranking, chosen) {
  const { width, height } = GRAPH;
  pin(nodes[0], 0.07);
  pin(nodes.find(({ side, image }) => side === "gallery" && image === chosen), 0.93);
  simulation
    .force("x", d3.forceX(({ winning }) => (winning ? 0.6 : 0.42) * width).strength(0.06))
    .force("y", d3.forceY(height / 2).strength(0.03));
}

function dragging(simulation) {
  const hold = (node, event) => Object.assign(node, { fx: event.x, fy: event.y });
  return d3.drag()
    .clickDistance(4)
    .on("drag", (event, node) => {
      hold(node, event);
      simulation.alpha(0.3).restart();
    });
}

/** Edges of a small weight are wide, those of a large weight narrow. */
function drawLinks(layer, links) {
  const weights = d3.extent(links.filter(({ kind }) => kind !== "path"), ({ weight }) => weight);
  const width = d3.scaleLinear(weights, [2.4, 0.6]);
  return layer.append("g").selectAll("line").data(links).join("line")
    .attr("class", ({ kind }) => `link ${kind}`)
    .attr("stroke-width", ({ kind, weight }) => (kind === "path" ? 3 : width(weight)));
}

function drawNodes(layer, nodes, state, choose) {
  const dots = layer.append("g").selectAll("g").data(nodes).join("g")
    .attr("class", (node) => nodeClass(node, state))
    .attr("data-node", ({ id }) => id)
    .attr("role", "button")
    .attr("tabindex", (_, i) => (i === 0 ? 0 : -1))
    .attr("aria-label", (node) => nodeLabel(node, state))
    .on("click", (_, { side, image }) => side === "gallery" && choose(image))
    .on("keydown", (event, node) => moveInGraph(event, node, choose));
  const size = radiusOf(nodes);
  dots.filter(({ shared }) => shared).append("circle").attr("class", "halo").attr("r", size + 4);
  dots.append("rect").attr("class", "face").attr("x", -size).attr("y", -size).attr("width", 2 * size).attr("height", 2 * size)
    .attr("rx", ({ side }) => (side === "query" ? 4 : size));
  dots.filter(({ side, image }) => thumbnail(side, image)).append("image")
    .attr("href", ({ side, image }) => thumbnail(side, image))
    .attr("x", -size + 2).attr("y", -size + 2).attr("width", 2 * size - 4).attr("height", 2 * size - 4);
  dots.append("text").attr("y", ({ side, image }) => (thumbnail(side, image) ? size + 10 : 3)).text(({ side, image }) => tag(side, image));
  dots.append("title").text((node) => nodeLabel(node, state));
  return dots;
}

function nodeClass({ side, image, chosen }, { q }) {
  const match = side === "query" ? null : isMatch(q, image);
  return ["node", side, chosen ? "chosen" : "", matchClass(match)].join(" ");
}

function nodeLabel({ side, image, chosen, shared, winning }, { q }) {
  const match = side === "query" ? null : isMatch(q, image);
  const words = [
    `${tag(side, image)}`, details(side, image), side === "query" ? "the query" : "", chosen ? "explained" : "",
    match === null ? "" : match ? "same identity" : "different identity",
    winning ? "on a winning path" : "", shared ? "in both neighborhoods" : "",
  ];
  return words.filter(Boolean).join(", ");
}

/** Arrow keys move the focus from node to node, Enter explains one. */
function moveInGraph(event, node, choose) {
  const nodes = [...document.querySelectorAll("#graph .node")];
  const at = nodes.indexOf(event.currentTarget);
  const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
  if (step) {
    const next = nodes[(at + step + nodes.length) % nodes.length];
    nodes[at].setAttribute("tabindex", "-1");
    next.setAttribute("tabindex", "0");
    next.focus();
  } else if ((event.key === "Enter" || event.key === " ") && node.side === "gallery") choose(node.image);
  else return;
  event.preventDefault();
}

function graphInWords({ q, g }, nodes, links) {
  const paths = links.filter(({ kind, source }) => kind === "path" && source === "q").length;
  const around = `${nodes.length - 1} gallery images around ${tag("query", q)}, ${links.length} edges`;
  return g === null ? `${around}.` : `${around}; ${paths} winning paths to ${tag("gallery", g)}, listed below.`;
}
