// Small helpers for the document. Data only ever becomes text or plain attributes, never markup.

const byId = (id) => document.getElementById(id);

/** An HTML element with attributes and children; strings become text nodes, null is skipped. */
function element(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) node.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) node.setAttribute(name, value);
  }
  node.append(...children.filter((child) => child !== null));
  return node;
}

/** Text for screen readers only. */
const spoken = (text) => element("span", { class: "spoken" }, text);

/** A rounded number, with its full value as an attribute. */
function number(value, digits = 4) {
  const text = Number.isFinite(value) ? value.toFixed(digits) : "∞";
  return element("data", { value: String(value) }, text);
}

/** Tell screen readers what changed. */
function announce(text) {
  byId("status").textContent = text;
}

/** A thumbnail, or null if the page has none. */
function picture(side, index, size) {
  const source = thumbnail(side, index);
  return source && element("img", { src: source, alt: "", width: size, height: size });
}
