// What the page carries, decoded when it is asked for.

const about = JSON.parse(byId("about").textContent);
const thumbnails = JSON.parse(byId("thumbnails").textContent);
const rowText = byId("distances").textContent.trim();
const near = decodeNeighbors(byId("neighbors").textContent.trim());

/** Bytes of a base64 text. Everything binary is little-endian, as are all browsers' machines. */
function bytesOf(base64) {
  const raw = atob(base64);
  const bytes = new Uint8Array(raw.length);
  for (let i = 0; i < raw.length; i++) bytes[i] = raw.charCodeAt(i);
  return bytes.buffer;
}

/** The nearest of each gallery image, nearest first: index and distance, [Ng × size]. */
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
  return dequantised(buffer, about.gallery.count);
}

function scattered(buffer, candidates) {
  const index = new Uint32Array(buffer, 0, candidates);
  const distance = new Float32Array(buffer, 4 * candidates, candidates);
  const row = new Float64Array(about.gallery.count).fill(Infinity);
  index.forEach((g, place) => (row[g] = distance[place]));
  return row;
}

/** low + step · level; levels of 20 bits are 16 upper bits each, then 4 lower bits each. */
function dequantised(buffer, count) {
  const { bits, low, step } = about.distances;
  const upper = new Uint16Array(buffer, 0, count);
  if (bits === 16) return Float64Array.from(upper, (level) => low + step * level);
  const nibbles = new Uint8Array(buffer, 2 * count);
  const lower = (g) => (nibbles[g >> 1] >> (4 * (g & 1))) & 15;
  return Float64Array.from(upper, (level, g) => low + step * (16 * level + lower(g)));
}

/** Short name of an image: q12 or g34. */
const tag = (side, index) => (side === "query" ? "q" : "g") + index;

const nameOf = (side, index) => about[side].names?.[index] ?? null;

const cameraOf = (side, index) => about[side].cameras?.[index] ?? null;

const identityCode = (side, index) => about[side].identities?.[index] ?? null;

/** The identity as the data names it, or null where it is unknown. */
function identityOf(side, index) {
  const code = identityCode(side, index);
  return code === null ? null : about.identity_names[code];
}

/** Whether a gallery image shows the query's identity; null where that is unknown. */
function isRight(query, gallery) {
  const codes = [identityCode("query", query), identityCode("gallery", gallery)];
  return codes.includes(null) ? null : codes[0] === codes[1];
}

/** Whether the protocol leaves a gallery image out of a query's list. */
function isLeftOut(query, gallery) {
  if (about.excluded === "nothing") return false;
  const sameLocation = about.query.locations[query] === about.gallery.locations[gallery];
  return sameLocation && (about.excluded === "same_location" || isRight(query, gallery));
}

/** "id 7 · cam 3", as far as known. */
function details(side, index, cameraWord = "cam ") {
  const [identity, camera] = [identityOf(side, index), cameraOf(side, index)];
  const parts = [identity === null ? "" : `id ${identity}`, camera === null ? "" : cameraWord + camera];
  return parts.filter(Boolean).join(" · ");
}

function thumbnail(side, index) {
  const base64 = thumbnails?.[side]?.[index];
  return base64 ? `data:${thumbnails.type};base64,${base64}` : null;
}
