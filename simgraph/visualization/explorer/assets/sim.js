// SIM for one query, in double precision: Eq. 4–8 of Jia et al., IJCAI 2020.
// Conventions: docs/concepts/conventions.md. `near` holds the nearest neighbors of each gallery image.

/** Distances and ranked lists of one query; `keep(g)` says which images the lists contain. */
function rankQuery(direct, near, parameters, keep) {
  const { k_query: kQuery, alpha } = parameters;
  const sets = cachedSets(near, parameters.k_gallery, parameters.expand);
  const dS = pathMeans(direct, near, parameters);
  const [byDirect, byPaths] = [ascending(direct), ascending(dS)];
  const querySet = firstReached(byPaths, dS, kQuery);
  const dM = jaccardDistances(querySet, sets);
  const dMDirect = jaccardDistances(firstReached(byDirect, direct, kQuery), sets);
  const stage = (distance, order = ascending(distance)) => stageOf(distance, order.filter(keep));
  return {
    direct, dS, dM, sets, querySet,
    stages: {
      baseline: stage(direct, byDirect),
      sgr: stage(dS, byPaths),
      mnnr: stage(fused(direct, dMDirect, alpha)),
      sim: stage(fused(dS, dM, alpha)),
    },
  };
}

/** Eq. 4–5: mean of the K shortest of the direct edge and the paths over k neighbors. */
function pathMeans(direct, near, { k, lam, num_paths: numPaths }) {
  const best = new Float64Array(numPaths);
  return direct.map((own, g) => {
    let count = insert(best, 0, own);
    for (let place = g * near.size; place < g * near.size + k; place++) {
      count = insert(best, count, direct[near.index[place]] + lam * near.distance[place]);
    }
    let sum = 0;
    for (let i = 0; i < count; i++) sum += best[i];
    return count ? sum / count : Infinity;
  });
}

/** Insert a value into the smallest so far, in ascending order; returns their new number. */
function insert(best, count, value) {
  if (value === Infinity || (count === best.length && value >= best[count - 1])) return count;
  let place = Math.min(count, best.length - 1);
  for (; place > 0 && best[place - 1] > value; place--) best[place] = best[place - 1];
  best[place] = value;
  return Math.min(count + 1, best.length);
}

/** The K shortest paths to one image; of equal paths the direct one first, then via the nearer neighbor. */
function winningPaths(direct, near, { k, lam, num_paths: numPaths }, g) {
  const paths = [{ via: null, queryHop: direct[g], galleryHop: 0, length: direct[g] }];
  for (let place = g * near.size; place < g * near.size + k; place++) {
    const via = near.index[place];
    const galleryHop = lam * near.distance[place];
    paths.push({ via, queryHop: direct[via], galleryHop, length: direct[via] + galleryHop });
  }
  const reached = paths.filter((path) => path.length !== Infinity);
  return reached.sort((a, b) => a.length - b.length).slice(0, numPaths);
}

/** R*(g) of every gallery image, ascending; computed again when k_g or the expansion changes. */
let cache = { key: null, sets: null };
function cachedSets(near, kGallery, expand) {
  const key = `${kGallery} ${expand}`;
  if (cache.key !== key) cache = { key, sets: reciprocalSets(near, kGallery, expand) };
  return cache.sets;
}

/** R(g, k), expanded by R(c, k/2) of members c of which more than 2/3 lies in R(g, k). */
function reciprocalSets(near, k, expand) {
  const sets = mutualSets(near, k);
  if (!expand) return sets;
  const half = mutualSets(near, halfToEven(k));
  // owner[h] === g marks the members of R(g, k): no set has to be cleared between images.
  const owner = new Int32Array(sets.length).fill(-1);
  return sets.map((members, g) => {
    for (const member of members) owner[member] = g;
    const larger = new Set(members);
    for (const candidate of members) {
      const added = half[candidate];
      const inside = added.filter((h) => owner[h] === g).length;
      if (3 * inside > 2 * added.length) added.forEach((h) => larger.add(h));
    }
    return [...larger].sort((a, b) => a - b);
  });
}

/** R(g, k): those of g's k nearest neighbors that have g among their own, and g itself. */
function mutualSets(near, k) {
  const nearest = (g) => near.index.subarray(g * near.size, g * near.size + k);
  return Array.from({ length: near.count }, (_, g) => {
    const others = Array.from(nearest(g)).filter((h) => nearest(h).includes(g));
    return [g, ...others].sort((a, b) => a - b);
  });
}

/** k/2, rounded half to even. */
function halfToEven(k) {
  const down = Math.floor(k / 2);
  return k % 2 === 0 ? down : down + (down % 2);
}

/** Eq. 7: d_M between N_c of one query and R* of every gallery image. */
function jaccardDistances(querySet, sets) {
  const inQuery = new Uint8Array(sets.length);
  for (const g of querySet) inQuery[g] = 1;
  return Float64Array.from(sets, (members) => {
    let overlap = 0;
    for (const member of members) overlap += inQuery[member];
    return 1 - overlap / (querySet.length + members.length - overlap);
  });
}

/** Eq. 8; an image that no path reaches stays at Infinity for any alpha. */
const fused = (d, dM, alpha) =>
  d.map((value, g) => (value === Infinity ? Infinity : alpha * value + (1 - alpha) * dM[g]));

/** Indices by value, ties to the lower index; Infinity − Infinity is NaN, so these go by index, too. */
const ascending = (values) =>
  Uint32Array.from(values.keys()).sort((a, b) => values[a] - values[b] || a - b);

/** N_c: the first images of an order, without those that no path reaches. */
const firstReached = (order, values, count) =>
  Array.from(order.subarray(0, count)).filter((g) => values[g] !== Infinity);

/** A ranked list, and the rank of each image in it, from 1; 0 for images that are not listed. */
function stageOf(distance, order) {
  const rank = new Uint32Array(distance.length);
  order.forEach((g, place) => (rank[g] = place + 1));
  return { distance, order, rank };
}

/** AP and the rank of the first match of a list; null without a match. */
function scores(order, matches) {
  let [hits, sum, first] = [0, 0, null];
  order.forEach((g, place) => {
    if (!matches(g)) return;
    first ??= place + 1;
    sum += ++hits / (place + 1);
  });
  return hits ? { averagePrecision: sum / hits, first } : null;
}
