// All around the stage: tools, histogram, threshold, legend, readout, help.

import { brief } from "./geometry.js";
import { Histogram } from "./histogram.js";
import { HELP, zoom } from "./keys.js";
import { icon, iconButton, make } from "./page.js";

const TOOLS = {
  pan: "Move",
  inspect: "Choose a pixel",
  brush: "Brush",
  eraser: "Eraser",
  line: "Line",
  box: "Box",
  polygon: "Polygon",
  circle: "Circle",
  snowball: "Snowball: a circle with a saturated core",
};
const PAINTS = ["brush", "eraser"];
const EDITS = ["brush", "eraser", "line", "polygon", "circle", "snowball"];

/** Change an element's text; what stays the same costs nothing. */
function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Builds a view's page and keeps it as the model is. */
export class Panel {
  constructor(view) {
    this.view = view;
    const { model } = view;
    this.title = make("div", { class: "up-title" });
    this.status = make("div", { class: "up-status", role: "status" });
    this.tools = make("div", { class: "up-tools", role: "toolbar", "aria-label": "tools" });
    this.frames = this.buildFrames();
    this.banner = make("div", { class: "up-banner", role: "alert", hidden: true });
    this.empty = make("div", { class: "up-empty", hidden: true });
    this.help = make("div", { class: "up-help", hidden: true, role: "dialog" });
    this.said = make("div", { class: "up-said", "aria-live": "polite" });
    this.readout = make("div", { class: "up-readout" });
    this.histogram = new Histogram(view);
    this.legend = make("div", { class: "up-legend", role: "group", "aria-label": "layers" });
    this.threshold = this.buildThreshold();
    this.stretch = this.select("stretch", "Stretch", model.get("_stretches"));
    this.cmap = this.select("cmap", "Colours", Object.keys(model.get("_colormaps")));
    this.reverse = make("input", {
      type: "checkbox",
      change: () => view.store.set("cmap", this.cmapName()),
    });
    const colours = make("div", { class: "up-pair" }, this.stretch.row, this.cmap.row);
    const reversed = make("label", { class: "up-check" }, this.reverse, "reversed");
    colours.append(reversed);
    this.side = make(
      "div",
      { class: "up-side" },
      this.histogram.element,
      colours,
      this.threshold.element,
      this.legend,
    );
    this.stage = make("div", { class: "up-stage" }, view.canvas, this.banner, this.empty, this.help);
    this.bar = make("div", { class: "up-bar" }, this.tools, this.frames.element);
    this.main = make("div", { class: "up-main" }, this.stage, this.side);
    this.element = make(
      "div",
      { class: "upramp-image-view", "data-jp-suppress-context-menu": true },
      make("div", { class: "up-head" }, this.title, this.status),
      this.bar,
      this.main,
      this.readout,
      this.said,
    );
    this.buildHelp();
  }

  select(trait, label, values) {
    const choose = () =>
      this.view.store.set(trait, trait === "cmap" ? this.cmapName() : field.value);
    const field = make("select", { "aria-label": label, change: choose });
    for (const value of values) field.append(make("option", { value }, value));
    return { field, row: make("label", { class: "up-field" }, make("span", {}, label), field) };
  }

  cmapName() {
    return this.cmap.field.value + (this.reverse.checked ? "_r" : "");
  }

  buildFrames() {
    const { view } = this;
    const slider = make("input", {
      type: "range",
      min: 0,
      step: 1,
      "aria-label": "frame",
      input: () => view.store.step(Number(slider.value)),
    });
    const play = iconButton("play", "Blink (B)", () => view.togglePlaying());
    const label = make("span", { class: "up-frame" });
    const element = make("div", { class: "up-frames", hidden: true }, play, slider, label);
    return { slider, play, label, element };
  }

  buildThreshold() {
    const { view } = this;
    const use = (value) => {
      if (Number.isFinite(value) && value >= 0) view.store.set("threshold", value);
    };
    const slider = make("input", {
      type: "range",
      step: "any",
      "aria-label": "threshold in sigma",
      input: () => use(Math.round(Number(slider.value) * 20) / 20),
    });
    const number = make("input", {
      type: "number",
      step: 0.1,
      min: 0,
      "aria-label": "threshold in sigma",
      input: () => use(Number(number.value)),
    });
    const element = make(
      "label",
      { class: "up-threshold", hidden: true },
      make("span", {}, "Threshold"),
      slider,
      make("span", { class: "up-unit" }, number, "σ"),
    );
    return { slider, number, element };
  }

  buildHelp() {
    this.help.setAttribute("aria-label", "keys");
    const list = make("dl", {});
    for (const [keys, does] of HELP) list.append(make("dt", {}, keys), make("dd", {}, does));
    const close = make(
      "button",
      { type: "button", class: "up-close", "aria-label": "close", click: () => this.view.toggleHelp() },
      "×",
    );
    this.help.append(make("h3", {}, "Keys"), close, list);
  }

  /** Build the tools anew; they are few and rarely change. */
  refreshTools() {
    const { view } = this;
    const { model } = view;
    const offered = Object.keys(TOOLS).filter((name) => model.get("tools").includes(name));
    this.tools.replaceChildren();
    const group = make("div", { class: "up-group" });
    offered.forEach((name, at) => {
      const button = iconButton(name, `${TOOLS[name]} (${at + 1})`, () => view.useTool(name));
      button.dataset.tool = name;
      group.append(button);
    });
    if (offered.length > 1) this.tools.append(group);
    if (offered.some((name) => EDITS.includes(name))) {
      const undo = iconButton("undo", "Undo (ctrl + z)", () => view.act("undo"));
      const redo = iconButton("redo", "Redo (ctrl + y)", () => view.act("redo"));
      this.tools.append(make("div", { class: "up-group" }, undo, redo));
    }
    if (offered.some((name) => PAINTS.includes(name))) this.tools.append(this.buildBrush());
    const closer = iconButton("in", "Zoom in (+)", () => zoom(view, 0.8));
    const farther = iconButton("out", "Zoom out (−)", () => zoom(view, 1.25));
    const whole = iconButton("fit", "Whole detector (0)", () => view.fit());
    const help = iconButton("help", "Keys (?)", () => view.toggleHelp());
    this.tools.append(make("div", { class: "up-group" }, closer, farther, whole, help));
    this.refresh();
  }

  buildBrush() {
    this.brush = make("input", {
      type: "range",
      min: 0,
      max: 30,
      step: 1,
      "aria-label": "brush radius in pixels",
      input: () => this.view.store.set("brush", Number(this.brush.value)),
    });
    this.brushSize = make("span", { class: "up-unit" });
    return make("label", { class: "up-brush", title: "Brush radius ([ and ])" }, this.brush, this.brushSize);
  }

  /** Show the model as it is, once for all that changes before the next frame. */
  refreshSoon() {
    this.soon ??= requestAnimationFrame(() => {
      this.soon = null;
      if (!this.view.dead) this.refresh();
    });
  }

  /** Show the model as it is. */
  refresh() {
    const { view } = this;
    const { model, store } = view;
    write(this.title, model.get("title"));
    this.title.title = model.get("title");
    for (const button of this.tools.querySelectorAll("[data-tool]")) {
      button.setAttribute("aria-pressed", button.dataset.tool === model.get("tool"));
    }
    if (this.brush) {
      this.brush.value = model.get("brush");
      this.brushSize.textContent = `${2 * model.get("brush") + 1} px`;
    }
    this.element.classList.toggle("up-bare", !model.get("panel"));
    this.stretch.field.value = model.get("stretch");
    this.cmap.field.value = model.get("cmap").replace(/_r$/, "");
    this.reverse.checked = model.get("cmap").endsWith("_r");
    this.refreshFrames();
    this.refreshThreshold();
    this.refreshState();
    this.empty.hidden = Boolean(store.scene?.frames);
    if (store.scene) this.empty.textContent = "Nothing to show yet";
    this.histogram.draw();
  }

  refreshFrames() {
    const { model, store } = this.view;
    const count = store.scene?.frames ?? 0;
    this.frames.element.hidden = count < 2;
    this.frames.slider.max = Math.max(0, count - 1);
    this.frames.slider.value = store.frame;
    const label = model.get("frame_labels")[store.frame] ?? `${store.frame + 1} of ${count}`;
    this.frames.label.textContent = label;
    const playing = model.get("playing");
    if (this.frames.playing !== playing) {
      this.frames.playing = playing;
      this.frames.play.replaceChildren(icon(playing ? "stop" : "play"));
      this.frames.play.setAttribute("aria-pressed", playing);
    }
  }

  refreshThreshold() {
    const { model, store } = this.view;
    const { slider, number, element } = this.threshold;
    element.hidden = !store.scene?.significance;
    const value = model.get("threshold");
    const [low, high] = model.get("threshold_range");
    slider.min = low;
    slider.max = high;
    slider.value = value;
    if (document.activeElement !== number) number.value = Number(value.toFixed(3));
  }

  refreshState() {
    const { model, store } = this.view;
    const busy = model.get("busy");
    const text = store.problem || model.get("status") || (busy ? "working…" : "");
    write(this.status, store.waiting && !text ? "waiting for the kernel…" : text);
    this.status.classList.toggle("up-busy", busy || store.waiting);
    this.status.classList.toggle("up-problem", Boolean(store.problem));
    const said = {
      offline: "The connection to the kernel is lost. The picture is the last it sent; it goes on when the connection is back.",
      restarted: "The kernel was restarted. The picture is the last it sent: run the cell again to work on.",
      closed: "The kernel is gone. The picture is the last it sent: run the cell again to work on.",
    }[store.missing];
    this.banner.hidden = !said;
    write(this.banner, said ?? "");
    if (said && !store.scene) this.empty.textContent = "No picture came from the kernel";
  }

  refreshLegend() {
    const { view } = this;
    const { model, store } = view;
    const rows = [];
    const row = (label, colour, shown, toggle, count) => {
      const box = make("input", { type: "checkbox", change: toggle });
      box.checked = shown;
      const swatch = make("span", { class: "up-swatch" });
      swatch.style.background = colour;
      rows.push(make("label", { class: "up-check" }, box, swatch, make("span", {}, label), count ?? ""));
    };
    if (store.scene?.significance) {
      const name = "above the threshold";
      const shown = model.get("threshold_shown");
      row(name, model.get("threshold_colour"), shown, () => store.set("threshold_shown", !shown));
    }
    const toggled = (trait, name) => () => {
      const now = model.get(trait);
      const without = now.filter((each) => each !== name);
      store.set(trait, without.length < now.length ? without : [...now, name]);
    };
    for (const { name, label, colour } of store.scene?.masks ?? []) {
      row(label, colour, model.get("flags_shown").includes(name), toggled("flags_shown", name));
    }
    for (const [name, layer] of store.layers) {
      const shown = !model.get("layers_hidden").includes(name);
      row(name, layer.colour, shown, toggled("layers_hidden", name));
    }
    // Not while it is used: the focus would be lost.
    const focused = [...this.legend.querySelectorAll("input")].indexOf(document.activeElement);
    this.legend.replaceChildren(...rows);
    if (focused >= 0) this.legend.querySelectorAll("input")[focused]?.focus({ preventScroll: true });
    this.legend.hidden = !rows.length;
  }

  /** Show what is under the cursor. */
  refreshReadout(place, value, flags, note) {
    const text = this.view.model.get("readout");
    const parts = [];
    if (place) {
      parts.push(make("span", { class: "up-place" }, `x ${place[0]}  y ${place[1]}`));
      const unit = this.view.model.get("unit");
      if (value !== undefined) {
        parts.push(make("span", { class: "up-value" }, `${brief(value, 6)}${unit && ` ${unit}`}`));
      }
      if (note) parts.push(make("span", { class: "up-note" }, note));
      if (flags?.length) parts.push(make("span", { class: "up-flags" }, flags.join(" · ")));
    }
    if (text && place) parts.push(make("span", { class: "up-text" }, text));
    if (!parts.length) parts.push(make("span", { class: "up-note" }, "Press ? for the keys"));
    this.readout.replaceChildren(...parts);
  }
}
