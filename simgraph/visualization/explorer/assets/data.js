// The data that the page carries, decoded on demand.

const about = JSON.parse(byId("about").textContent);
const thumbnails = JSON.parse(byId("thumbnails").textContent);
const rowText = byId("distances").textContent.trim();
const near = decodeNeighbors(byId("neighbors").textContent.trim());

/** Bytes of a base64 text. All binary data is little-endian, as on every machine that runs a browser. */
function bytesOf(base64) {
  const raw = atob(base64);
  const bytes = new Uint8Array(raw.length);
  for (let i = 0; i < raw.length; i++) bytes[i] = raw.charCodeAt(i);
  return bytes.buffer;
}

/** The neighbors of each gallery image, nearest first: index and distance, [Ng × size]. */
function decodeNeighbors(base64) {
  const buffer = bytesOf(base64);
  const values = about.gallery.count * about.k_max;
  return {
    count: about.gallery.count,
    size: about.k_max,
    index: new Uint32Array(buffer, 0, values),
    distance: Float64Array.from(new Float32Array(buffer, 4 * values, values)),
  };
}

/** D_qg of one query, [Ng]; Infinity for images that are not among its candidates. */
function queryDistances(query) {
  const { row_chars: chars, bits, candidates } = about.distances;
  const buffer = bytesOf(rowText.slice(query * chars, (query + 1) * chars));
  if (candidates !== null) return scattered(buffer, candidates);
  if (bits === 32) return Float64Array.from(new Float32Array(buffer));
  return dequantized(buffer);
}

function scattered(buffer, candidates) {
  const index = new Uint32Array(buffer, 0, candidates);
  const distance = new Float32Array(buffer, 4 * candidates, candidates);
  const row = new Float64Array(about.gallery.count).fill(Infinity);
  index.forEach((g, place) => (row[g] = distance[place]));
  return row;
}

/** Distances from levels of 16 bits: low + step · level. */
function dequantized(buffer) {
  const { low, step } = about.distances;
  return Float64Array.from(new Uint16Array(buffer), (level) => low + step * level);
}

/** Short name of an image: q12 or g34. */
const tag = (side, index) => (side === "query" ? "q" : "g") + index;

const nameOf = (side, index) => about[side].names?.[index] ?? null;

const cameraOf = (side, index) => about[side].cameras?.[index] ?? null;

const identityCode = (side, index) => about[side].identities?.[index] ?? null;

/** The identity as the data names it, or null if it is unknown. */
function identityOf(side, index) {
  const code = identityCode(side, index);
  return code === null ? null : about.identity_names[code];
}

/** Whether a gallery image shows the query's identity; null if unknown. */
function isMatch(query, gallery) {
  const codes = [identityCode("query", query), identityCode("gallery", gallery)];
  return codes.includes(null) ? null : codes[0] === codes[1];
}

/** The CSS class of a match, a wrong image, or an unlabeled one. */
const matchClass = (match) => (match === null ? "" : match ? "correct" : "wrong");

/** Whether the protocol excludes a gallery image from a query's list. */
function isExcluded(query, gallery) {
  if (about.excluded === "nothing") return false;
  if (about.junk !== null && about.gallery.identities[gallery] === about.junk) return true;
  const sameLocation = about.query.locations[query] === about.gallery.locations[gallery];
  return sameLocation && (about.excluded === "same_location" || isMatch(query, gallery));
}

/** "id 7 · cam 3", without the parts that are unknown. */
function details(side, index, cameraWord = "cam ") {
  const [identity, camera] = [identityOf(side, index), cameraOf(side, index)];
  const parts = [identity === null ? "" : `id ${identity}`, camera === null ? "" : cameraWord + camera];
  return parts.filter(Boolean).join(" · ");
}

function thumbnail(side, index) {
  const base64 = thumbnails?.[side]?.[index];
  return base64 ? `data:${thumbnails.type};base64,${base64}` : null;
}
