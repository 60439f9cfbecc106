// The histogram with its two handles, and the colour bar under it on the same axis.

import { quantileAt, stretchOf } from "./codes.js";
import { imageColours, limitsOf } from "./draw.js";
import { brief, ticks } from "./geometry.js";
import { make } from "./page.js";

const HEIGHT = 74;
const BAR = 12;
const LABELS = 16;

/** Shows how values are distributed; its handles are vmin and vmax. */
export class Histogram {
  constructor(view) {
    this.view = view;
    this.canvas = make("canvas", { class: "up-histogram-canvas" });
    this.handles = [0, 1].map((which) => this.handle(which));
    this.element = make("div", { class: "up-histogram" }, this.canvas, ...this.handles);
    this.element.addEventListener("pointerdown", (event) => this.down(event));
    this.element.addEventListener("pointermove", (event) => this.move(event));
    this.element.addEventListener("pointerup", () => (this.grip = null));
    this.element.addEventListener("pointercancel", () => (this.grip = null));
    this.element.addEventListener("dblclick", () => this.automatic());
    this.element.title = "Drag the handles; double-click for automatic limits";
  }

  handle(which) {
    const label = which === 0 ? "lower limit of the colours" : "upper limit of the colours";
    const handle = make("div", {
      class: "up-handle",
      role: "slider",
      tabindex: "0",
      "aria-label": label,
    });
    handle.addEventListener("keydown", (event) => {
      const way = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1 }[event.key];
      if (!way) return;
      event.preventDefault();
      event.stopPropagation();
      const limits = limitsOf(this.view.store);
      const step = ((limits[1] - limits[0]) / 100) * (event.shiftKey ? 10 : 1);
      limits[which] += way * step;
      this.use(limits, which);
    });
    return handle;
  }

  /** Give the range of the axis. */
  axis() {
    const { histogram } = this.view.store.scene;
    const [low, high] = limitsOf(this.view.store);
    const ends = [Math.min(histogram.low, low), Math.max(histogram.high, high)];
    return this.grip?.axis ?? ends;
  }

  down(event) {
    if (!this.view.store.scene?.frames) return;
    event.preventDefault();
    event.stopPropagation();
    const axis = this.axis();
    const limits = limitsOf(this.view.store);
    const at = this.valueAt(event, axis);
    const reach = ((axis[1] - axis[0]) * 10) / this.element.clientWidth;
    const far = limits.map((limit) => Math.abs(limit - at));
    let which = far[0] < far[1] ? 0 : 1;
    const between = at > limits[0] + reach && at < limits[1] - reach;
    if (between && Math.min(...far) > reach) which = 2; // both
    this.grip = { which, axis, at, limits };
    this.element.setPointerCapture(event.pointerId);
    if (which < 2) this.handles[which].focus({ preventScroll: true });
    this.move(event);
  }

  move(event) {
    if (!this.grip) return;
    const at = this.valueAt(event, this.grip.axis);
    const limits = [...this.grip.limits];
    const shift = at - this.grip.at;
    if (this.grip.which === 2) limits.forEach((limit, i) => (limits[i] = limit + shift));
    else limits[this.grip.which] += shift;
    this.use(limits, this.grip.which);
  }

  valueAt(event, [low, high]) {
    const box = this.canvas.getBoundingClientRect();
    return low + ((event.clientX - box.left) / box.width) * (high - low);
  }

  use(limits, which) {
    const [low, high] = limits;
    const least = Math.abs(high - low) < 1e-30 ? 1e-12 : 0;
    if (which === 0 && low >= high) limits[0] = high - least;
    if (which === 1 && high <= low) limits[1] = low + least;
    this.view.setLimits(limits);
  }

  automatic() {
    const { quantiles } = this.view.store.scene ?? {};
    if (!quantiles) return;
    this.view.setLimits([quantileAt(0.005, quantiles), quantileAt(0.995, quantiles)]);
  }

  draw() {
    const { view, canvas } = this;
    const { scene } = view.store;
    this.element.hidden = !scene?.frames; // before its width is asked for
    const wide = this.element.clientWidth;
    if (!scene?.frames || !wide) return;
    const ratio = window.devicePixelRatio || 1;
    const [width, height] = [Math.round(wide * ratio), Math.round((HEIGHT + BAR + LABELS) * ratio)];
    if (canvas.width !== width || canvas.height !== height) {
      canvas.width = width;
      canvas.height = height;
      canvas.style.height = `${HEIGHT + BAR + LABELS}px`;
    }
    const context = canvas.getContext("2d");
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, wide, HEIGHT + BAR + LABELS);
    const [low, high] = this.axis();
    const limits = limitsOf(view.store);
    const across = (value) => ((value - low) / (high - low)) * wide;
    this.drawBars(context, across, limits);
    this.drawBar(context, wide, [low, high], limits, ratio);
    context.fillStyle = view.theme.soft;
    context.font = `10.5px ${view.theme.font}`;
    context.textBaseline = "top";
    for (const value of ticks(low, high, 3)) {
      const text = brief(Math.abs(value) < (high - low) * 1e-9 ? 0 : value);
      const half = context.measureText(text).width / 2;
      const x = across(value);
      if (x < half || x > wide - half) continue;
      context.textAlign = "center";
      context.fillText(text, x, HEIGHT + BAR + 5);
      context.fillRect(x, HEIGHT + BAR, 1, 3);
    }
    this.handles.forEach((handle, which) => {
      handle.style.left = `${Math.min(wide, Math.max(0, across(limits[which])))}px`;
      handle.setAttribute("aria-valuenow", limits[which]);
      handle.setAttribute("aria-valuetext", brief(limits[which]));
      handle.setAttribute("aria-valuemin", low);
      handle.setAttribute("aria-valuemax", high);
    });
  }

  drawBars(context, across, limits) {
    const { histogram } = this.view.store.scene;
    const tallest = Math.log1p(Math.max(1, ...histogram.counts));
    const step = (histogram.high - histogram.low) / histogram.counts.length;
    for (const [inside, colour] of [[false, this.view.theme.faint], [true, this.view.theme.bars]]) {
      context.fillStyle = colour;
      histogram.counts.forEach((count, i) => {
        const start = histogram.low + i * step;
        const middle = start + step / 2;
        if ((middle >= limits[0] && middle <= limits[1]) !== inside || !count) return;
        const tall = (Math.log1p(count) / tallest) * (HEIGHT - 8);
        const x = across(start);
        context.fillRect(x, HEIGHT - tall, Math.max(0.75, across(start + step) - x - 0.4), tall);
      });
    }
  }

  drawBar(context, wide, [low, high], limits, ratio) {
    const { view } = this;
    const colours = imageColours(view.model);
    const { quantiles } = view.store.scene;
    const share = stretchOf(view.model.get("stretch"), limits[0], limits[1], quantiles);
    context.save();
    context.scale(1 / ratio, 1 / ratio); // whole dots, without seams
    for (let x = 0; x < wide * ratio; x++) {
      const value = low + ((x + 0.5) / (wide * ratio)) * (high - low);
      const word = colours[(share(value) * 255.999) | 0];
      context.fillStyle = `rgb(${word & 255} ${(word >> 8) & 255} ${(word >> 16) & 255})`;
      context.fillRect(x, Math.round(HEIGHT * ratio), 1, Math.round(BAR * ratio));
    }
    context.restore();
    context.strokeStyle = view.theme.line;
    context.strokeRect(0.5, HEIGHT + 0.5, wide - 1, BAR - 1);
  }
}
