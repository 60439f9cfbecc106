// The keyboard: everything common without a mouse.

import { kept, zoomed } from "./geometry.js";

const TOOLS = ["pan", "inspect", "brush", "eraser", "line", "box", "polygon", "circle", "snowball"];

/** What each key does, as the help lists it. */
export const HELP = [
  ["← ↑ → ↓  or  W A S D", "move the picture"],
  ["shift + ← ↑ → ↓", "choose the next pixel"],
  ["+  −  or the wheel", "zoom in and out"],
  ["0", "show the whole detector"],
  [",  .", "previous and next group"],
  ["b", "blink once"],
  ["B", "start and stop blinking"],
  ["[  ]", "smaller and larger brush"],
  ["1 … 9", "choose a tool"],
  ["right button or alt", "erase while painting"],
  ["space or middle button", "move while painting"],
  ["enter or double click", "close a polygon"],
  ["escape", "give up a stroke"],
  ["ctrl + z,  ctrl + y", "undo and redo"],
  ["?", "this list"],
];

/** Act on a key; says whether it was one of ours. */
export function onKey(view, event) {
  const { model, store, pointer } = view;
  const command = event.ctrlKey || event.metaKey;
  const key = event.key;
  if (command) {
    const name = { z: event.shiftKey ? "redo" : "undo", Z: "redo", y: "redo" }[key];
    if (name) view.act(name);
    return Boolean(name);
  }
  if (event.altKey) return false;
  const way = {
    ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1],
    a: [-1, 0], d: [1, 0], w: [0, 1], s: [0, -1],
  }[key];
  if (way) {
    if (event.shiftKey) chooseNext(view, way);
    else move(view, way);
    return true;
  }
  if (/^[1-9]$/.test(key)) {
    const tool = TOOLS.filter((name) => model.get("tools").includes(name))[Number(key) - 1];
    if (tool) view.useTool(tool);
    return Boolean(tool);
  }
  const brush = model.get("brush");
  const doings = {
    "+": () => zoom(view, 0.8),
    "=": () => zoom(view, 0.8),
    "-": () => zoom(view, 1.25),
    0: () => view.fit(),
    "[": () => setBrush(view, Math.max(0, brush - (brush > 8 ? 2 : 1))),
    "]": () => setBrush(view, Math.min(200, brush + (brush >= 8 ? 2 : 1))),
    ",": () => view.stepFrame(-1),
    ".": () => view.stepFrame(1),
    b: () => view.blinkOnce(),
    B: () => view.togglePlaying(),
    "?": () => view.toggleHelp(),
    Escape: () => {
      if (view.helpShown()) view.toggleHelp();
      pointer.cancel();
      view.act("escape");
    },
    Enter: () => {
      if (pointer.stroke) pointer.close();
      else if (pointer.place) view.choose(...pointer.place.map(Math.round), {});
    },
    " ": () => {
      pointer.space = true;
    },
  };
  if (!Object.hasOwn(doings, key) || !store.scene) return false;
  doings[key]();
  return true;
}

function setBrush(view, radius) {
  view.store.set("brush", radius);
  view.say(radius === 0 ? "brush of one pixel" : `brush radius ${radius}`);
  view.invalidate();
}

function move(view, [dx, dy]) {
  const { store } = view;
  const range = store.visible(view);
  const step = 0.12 * (range.x[1] - range.x[0]);
  const moved = { x: range.x.map((e) => e + dx * step), y: range.y.map((e) => e + dy * step) };
  store.setRange(kept(moved, store.shape), view);
}

/** Zoom about the cursor, or about the middle. */
export function zoom(view, factor) {
  const { store } = view;
  const range = store.visible(view);
  const middle = [(range.x[0] + range.x[1]) / 2, (range.y[0] + range.y[1]) / 2];
  const [x, y] = view.pointer.place ?? middle;
  store.setRange(kept(zoomed(range, factor, x, y), store.shape), view);
}

function chooseNext(view, [dx, dy]) {
  const { store } = view;
  const [ny, nx] = store.shape;
  const range = store.visible(view);
  let [x, y] = view.chosen();
  if (x < 0) {
    x = Math.round((range.x[0] + range.x[1]) / 2);
    y = Math.round((range.y[0] + range.y[1]) / 2);
  }
  x = Math.min(nx - 1, Math.max(0, x + dx));
  y = Math.min(ny - 1, Math.max(0, y + dy));
  view.choose(x, y, {});
  view.say(`pixel ${x}, ${y}`);
  // Keep it in sight.
  if (x < range.x[0] || x > range.x[1] || y < range.y[0] || y > range.y[1]) {
    const shift = [x - (range.x[0] + range.x[1]) / 2, y - (range.y[0] + range.y[1]) / 2];
    view.pointer.pan(range, shift);
  }
}
