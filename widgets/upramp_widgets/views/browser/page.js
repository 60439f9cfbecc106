// Small parts that panels are built of.

const FOCUSABLE = new Set(["button", "input", "select", "canvas"]);

/** Keep a notebook's own keys (x cuts a cell!) from what has the focus in here. */
export function ownKeys(element) {
  element.setAttribute("data-lm-suppress-shortcuts", "true");
}

/** Give the colour that is seen behind an element; null where nothing has one. */
export function groundOf(element) {
  for (let at = element; at; at = at.parentElement) {
    const colour = getComputedStyle(at).backgroundColor;
    // A see-through one is none: what it comes to is not told.
    if (colour !== "transparent" && !/^rgba|\//.test(colour)) return colour;
  }
  return null;
}

/** Make an element: tag, attributes (functions are listeners), children. */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name, value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null) element.setAttribute(name, value);
  }
  if (FOCUSABLE.has(tag) || "tabindex" in attributes) ownKeys(element);
  element.append(...children);
  return element;
}

const SHAPES = {
  pan: "M8 1.5v13M1.5 8h13M8 1.5 6 3.5M8 1.5l2 2M8 14.5l-2-2M8 14.5l2-2M1.5 8l2-2M1.5 8l2 2M14.5 8l-2-2M14.5 8l-2 2",
  inspect: "M8 1.5v4M8 10.5v4M1.5 8h4M10.5 8h4M6.5 8a1.5 1.5 0 1 0 3 0a1.5 1.5 0 1 0-3 0",
  brush: "M13.8 2.2c-3 1-6 4-7.5 6.6l1.4 1.4C10.300 8.700 13 5.500 13.800 2.200ZM5.700 9.500c-2 0-2.200 2.400-3.900 3.800c2.600.8 5.300-.2 5.500-2.300Z",
  eraser: "M9.300 2.600l4.300 4.300l-6.500 6.500H4.600L2.200 11ZM5.800 6.100l4.300 4.300M7 13.400h7",
  line: "M3 13 13 3M2 14a1 1 0 1 0 2-2a1 1 0 1 0-2 2M12 4a1 1 0 1 0 2-2a1 1 0 1 0-2 2",
  box: "M2.500 3.500h11v9h-11Z",
  polygon: "M8 2l6 4.500l-2.300 7H4.300L2 6.500Z",
  circle: "M2.500 8a5.500 5.500 0 1 0 11 0a5.500 5.500 0 1 0-11 0",
  snowball: "M1.800 8a6.200 6.200 0 1 0 12.400 0a6.200 6.200 0 1 0-12.400 0M5.200 8a2.800 2.800 0 1 0 5.600 0a2.800 2.800 0 1 0-5.600 0",
  in: "M8 3v10M3 8h10",
  out: "M3 8h10",
  fit: "M2 6V2h4M10 2h4v4M14 10v4h-4M6 14H2v-4",
  play: "M4.500 2.500v11l9-5.500Z",
  stop: "M4 3.500h8v9H4Z",
  undo: "M6 3 2.500 6.500L6 10M2.500 6.500h7a4 4 0 0 1 0 8H6",
  redo: "M10 3l3.500 3.500L10 10M13.500 6.500h-7a4 4 0 0 0 0 8H10",
  help: "M5.500 6a2.500 2.500 0 1 1 3.700 2.200c-.8.500-1.200.9-1.200 1.900M8 12.600v.3",
};

/** Give an icon. */
export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", SHAPES[name]);
  svg.append(path);
  return svg;
}

/** Give a button with an icon. */
export function iconButton(name, label, act) {
  const button = make("button", { type: "button", title: label, "aria-label": label, click: act });
  button.append(icon(name));
  return button;
}
