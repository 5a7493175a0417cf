// The state of the page: query, explained image, parameters, filters. The address holds all of it.

const LENGTHS = [10, 20, 50];
const OUTCOMES = ["all", "lost", "won", "missed", "none"];

const DEFAULTS = {
  q: 0, // query
  g: null, // gallery image that is explained
  top: 10, // length of the lists
  ...about.parameters, // k, lam, num_paths, k_query, k_gallery, alpha, expand
  as_scored: true, // whether lists leave out the images that the protocol excludes
  find: "",
  identity: "",
  camera: "",
  outcome: "all",
};

/** Largest values; they depend on each other by the rules of the Python library. */
const LIMITS = {
  k: () => about.k_max,
  num_paths: (state) => state.k + 1,
  k_query: () => about.gallery.count,
  k_gallery: (state) => state.k,
  lam: () => 1,
  alpha: () => 1,
};

const LOWEST = { k: 0, num_paths: 1, k_query: 1, k_gallery: 0, lam: 0, alpha: 0 };

const isFraction = (key) => key === "lam" || key === "alpha";

/** The nearest valid state. */
function valid(wanted) {
  const state = { ...DEFAULTS, ...wanted };
  for (const key of Object.keys(LIMITS)) {
    const value = isFraction(key) ? state[key] : Math.round(state[key]);
    const sensible = Number.isFinite(value) ? value : DEFAULTS[key];
    state[key] = Math.min(LIMITS[key](state), Math.max(LOWEST[key], sensible));
  }
  state.q = clampedIndex(state.q, about.query.count) ?? 0;
  state.g = clampedIndex(state.g, about.gallery.count);
  if (!LENGTHS.includes(state.top)) state.top = DEFAULTS.top;
  if (!OUTCOMES.includes(state.outcome)) state.outcome = DEFAULTS.outcome;
  return state;
}

function clampedIndex(value, count) {
  if (value === null || !Number.isFinite(value)) return null;
  return Math.min(count - 1, Math.max(0, Math.round(value)));
}

/** The state that the fragment of an address describes. */
function parseFragment(fragment) {
  const state = {};
  for (const [key, text] of new URLSearchParams(fragment.replace(/^#/, ""))) {
    if (!(key in DEFAULTS)) continue;
    const like = key === "g" ? 0 : DEFAULTS[key];
    if (typeof like === "boolean") state[key] = text === "1";
    else state[key] = typeof like === "number" ? parseFloat(text) : text;
  }
  return valid(state);
}

/** The fragment that describes a state: the query, and each value that is not the default. */
function formatFragment(state) {
  const fields = Object.keys(DEFAULTS).filter((key) => key === "q" || state[key] !== DEFAULTS[key]);
  const text = (value) => (typeof value === "boolean" ? String(Number(value)) : String(value));
  return "#" + new URLSearchParams(fields.map((key) => [key, text(state[key])]));
}
