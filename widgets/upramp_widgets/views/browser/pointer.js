// What the hand does on the stage: move, zoom, click, paint. Painting is drawn here and now; the
// kernel hears of a stroke when it is done.

import { kept, stepsBetween, zoomed } from "./geometry.js";

const PAINTS = new Set(["brush", "eraser"]);
const DRAGS = new Set(["line", "box", "circle", "snowball"]);
const STILL = 4; // CSS pixels within which a press is a click

/** Listens on a view's canvas. */
export class Pointer {
  constructor(view) {
    this.view = view;
    this.stroke = null; // under the hand
    this.place = null; // of the cursor, in pixels of the detector
    this.grip = null; // of a pan
    this.space = false;
    const { canvas } = view;
    const listen = (name, what, options) => canvas.addEventListener(name, what, options);
    listen("pointerdown", (event) => this.down(event));
    listen("pointermove", (event) => this.move(event));
    listen("pointerup", (event) => this.up(event));
    listen("pointercancel", () => this.cancel());
    listen("pointerleave", () => this.leave());
    listen("dblclick", (event) => this.double(event));
    listen("wheel", (event) => this.wheel(event), { passive: false });
    listen("contextmenu", (event) => {
      event.preventDefault();
      event.stopPropagation();
    });
  }

  get tool() {
    return this.view.model.get("tool");
  }

  /** Give the place of an event in pixels of the detector. */
  at(event) {
    const { canvas, plot, ratio, store } = this.view;
    const box = canvas.getBoundingClientRect();
    const range = store.visible(this.view);
    const x = ((event.clientX - box.left) * ratio - plot.at[0]) / plot.dots[0];
    const y = ((event.clientY - box.top) * ratio - plot.at[1]) / plot.dots[1];
    return [
      range.x[0] + x * (range.x[1] - range.x[0]),
      range.y[1] - y * (range.y[1] - range.y[0]),
    ];
  }

  down(event) {
    const { view } = this;
    view.canvas.focus({ preventScroll: true });
    event.stopPropagation();
    if (!view.store.scene?.frames) return;
    const { tool } = this;
    const moves = event.button === 1 || this.space;
    const drawing = PAINTS.has(tool) || DRAGS.has(tool) || tool === "polygon";
    if (!moves && event.button === 2 && !drawing) return;
    event.preventDefault();
    view.canvas.setPointerCapture(event.pointerId);
    this.pressed = { x: event.clientX, y: event.clientY, button: event.button, moved: false };
    const place = this.at(event);
    const erase = event.button === 2 || tool === "eraser" || event.altKey;
    const whole = place.map(Math.round);
    if (moves || tool === "pan" || tool === "inspect") {
      this.grip = { place, range: view.store.visible(view) };
    } else if (PAINTS.has(tool)) {
      const radius = view.model.get("brush");
      this.stroke = { tool: erase ? "eraser" : "brush", points: [whole], radius, erase };
    } else if (DRAGS.has(tool)) {
      this.stroke = { tool, points: [place, place], radius: 0, erase };
    } else if (tool === "polygon") {
      this.stroke ??= { tool, points: [], radius: 0, erase, open: true };
      this.stroke.points.push(place);
    }
    view.invalidate();
  }

  move(event) {
    const { view } = this;
    // The browser merges moves between two frames; a stroke goes through all of them.
    const merged = event.getCoalescedEvents?.() ?? [];
    for (const each of merged.length ? merged : [event]) this.follow(each);
    this.place = this.at(event);
    view.hover(this.place);
    view.invalidate();
  }

  follow(event) {
    const { view, stroke } = this;
    const place = this.at(event);
    if (this.pressed) {
      const far = Math.hypot(event.clientX - this.pressed.x, event.clientY - this.pressed.y);
      if (far >= STILL) this.pressed.moved = true;
    }
    if (this.grip && this.pressed?.moved) {
      const now = view.store.visible(view);
      const shift = [this.grip.place[0] - place[0], this.grip.place[1] - place[1]];
      this.pan(now, shift);
    } else if (stroke && PAINTS.has(this.tool)) {
      stroke.points.push(...stepsBetween(stroke.points.at(-1), place.map(Math.round)));
    } else if (stroke && DRAGS.has(stroke.tool)) {
      stroke.points[1] = place;
      const [[x0, y0], [x1, y1]] = stroke.points;
      stroke.radius = Math.hypot(x1 - x0, y1 - y0);
    }
  }

  pan(range, [dx, dy]) {
    const { view } = this;
    const moved = { x: range.x.map((end) => end + dx), y: range.y.map((end) => end + dy) };
    view.store.setRange(kept(moved, view.store.shape), view);
  }

  up(event) {
    const { view, stroke, pressed } = this;
    this.pressed = null;
    if (this.grip) {
      this.grip = null;
      if (pressed && !pressed.moved && pressed.button === 0) this.click(event);
    } else if (stroke && stroke.tool !== "polygon") {
      this.stroke = null;
      const still = DRAGS.has(stroke.tool) && !pressed?.moved;
      if (!still) view.store.commit(finished(stroke));
    }
    view.invalidate();
  }

  click(event) {
    const { view } = this;
    const [x, y] = this.at(event).map(Math.round);
    const [ny, nx] = view.store.shape;
    if (x < 0 || y < 0 || x >= nx || y >= ny) return;
    view.choose(x, y, {
      shift: event.shiftKey,
      ctrl: event.ctrlKey || event.metaKey,
      alt: event.altKey,
    });
  }

  double(event) {
    event.preventDefault();
    if (this.stroke?.tool === "polygon") this.close();
  }

  /** Finish a polygon. */
  close() {
    const { stroke, view } = this;
    this.stroke = null;
    if (!stroke) return;
    // A double click has put its place in twice.
    const points = stroke.points.filter(
      ([x, y], i) => i === 0 || Math.hypot(x - stroke.points[i - 1][0], y - stroke.points[i - 1][1]) > 1e-6,
    );
    if (points.length >= 3) view.store.commit(finished({ ...stroke, points }));
    view.invalidate();
  }

  cancel() {
    this.stroke = null;
    this.grip = null;
    this.pressed = null;
    this.view.invalidate();
  }

  leave() {
    this.place = null;
    this.view.hover(null);
    this.view.invalidate();
  }

  wheel(event) {
    event.preventDefault();
    event.stopPropagation();
    const { view } = this;
    const lines = event.deltaMode === 1 ? 16 : 1;
    const factor = Math.exp(Math.max(-120, Math.min(120, event.deltaY * lines)) * 0.0022);
    const [x, y] = this.at(event);
    const range = zoomed(view.store.visible(view), factor, x, y);
    view.store.setRange(kept(range, view.store.shape), view);
  }

  /** Give where the brush's ring is, if there is one. */
  ring() {
    if (!this.place || !PAINTS.has(this.tool)) return null;
    const [x, y] = this.place.map(Math.round);
    return { x, y, radius: this.view.model.get("brush") };
  }
}

function finished({ tool, points, radius, erase }) {
  return { tool, points: tool === "circle" || tool === "snowball" ? [points[0]] : points, radius, erase };
}
