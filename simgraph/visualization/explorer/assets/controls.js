// The parameters, each as a slider and a number, and which images the lists show.

// Small values of λ matter most: its slider is linear in the cube root.
const CUBIC = { to: (value) => Math.cbrt(value) * 1000, from: (place) => +((place / 1000) ** 3).toPrecision(2) };
const LINEAR = { to: (value) => value, from: (place) => place };

const PARAMETERS = [
  { key: "lam", symbol: "λ", name: "scale of gallery edges", scale: CUBIC },
  { key: "k", symbol: "k", name: "gallery neighbors", scale: LINEAR },
  { key: "num_paths", symbol: "K", name: "paths averaged", scale: LINEAR },
  { key: "k_query", symbol: "k", sub: "q", name: "size of N_c", scale: LINEAR },
  { key: "k_gallery", symbol: "k", sub: "g", name: "reciprocal neighbors", scale: LINEAR },
  { key: "alpha", symbol: "α", name: "weight of d_S", scale: LINEAR },
];

// A slider up to the size of the gallery would be too coarse to set.
const SLIDER_END = 100;

/** Build the controls once; `change(values)` receives the values that the user sets. */
function buildControls(change) {
  byId("parameters").append(...PARAMETERS.map((parameter) => parameterControl(parameter, change)));
  byId("expand").addEventListener("change", (event) => change({ expand: event.target.checked }));
  byId("as-scored").addEventListener("change", (event) => change({ as_scored: event.target.checked }));
  byId("as-scored").closest("label").hidden = about.excluded === "nothing";
  byId("top").append(...LENGTHS.map((n) => element("option", { value: n }, `first ${n}`)));
  byId("top").addEventListener("change", (event) => change({ top: Number(event.target.value) }));
  byId("reset").addEventListener("click", () => change(about.parameters));
}

function parameterControl({ key, symbol, sub, name, scale }, change) {
  const slider = element("input", { type: "range", id: `slider-${key}` });
  slider.step = key === "alpha" ? 0.01 : 1;
  const box = element("input", { type: "number", id: `number-${key}`, min: LOWEST[key] });
  box.step = isFraction(key) ? "any" : 1;
  box.setAttribute("aria-label", `${name}, as a number`);
  slider.addEventListener("input", () => change({ [key]: scale.from(Number(slider.value)) }));
  // An empty box means that the user is still typing.
  box.addEventListener("input", () => box.value !== "" && change({ [key]: Number(box.value) }));
  const label = element(
    "label", { for: slider.id },
    element("var", {}, symbol, sub ? element("sub", {}, sub) : null), ` ${name}`,
  );
  return element("div", { class: "parameter" }, label, box, slider);
}

/** Show the parameters of a state and their current limits. */
function showControls(state) {
  for (const { key, scale } of PARAMETERS) {
    const [slider, box] = [byId(`slider-${key}`), byId(`number-${key}`)];
    const high = LIMITS[key](state);
    slider.min = scale.to(LOWEST[key]);
    slider.max = scale.to(isFraction(key) ? high : Math.min(high, Math.max(SLIDER_END, state[key])));
    slider.value = scale.to(state[key]);
    slider.setAttribute("aria-valuetext", String(state[key]));
    box.max = high;
    if (document.activeElement !== box || Number(box.value) !== state[key]) box.value = state[key];
  }
  byId("expand").checked = state.expand;
  byId("as-scored").checked = state.as_scored;
  byId("top").value = state.top;
}
