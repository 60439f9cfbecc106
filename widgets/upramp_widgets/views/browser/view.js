// A canvas that shows a plane of a detector, with layers over it: one view of a model.

import { cellAt } from "./tiles.js";
import { covers } from "./geometry.js";
import { decodeTable } from "./codes.js";
import { drawStage } from "./draw.js";
import { onKey } from "./keys.js";
import { groundOf, ownKeys } from "./page.js";
import { Panel } from "./panel.js";
import { Pointer } from "./pointer.js";
import { storeOf } from "./store.js";

const LEFT = 46;
const BOTTOM = 24;
const TOP = 8;
const RIGHT = 10;
const BLINK = 100; // ms
const DRAWN = ["stretch", "cmap", "vmin", "vmax", "threshold", "threshold_shown", "flags_shown"];
const OTHERS = ["threshold_colour", "paint_colour", "layers_hidden", "x", "y", "tool", "brush"];
const SHOWN = ["title", "panel", "unit", "frame_labels", "threshold_range"];

/** Fills an element; `destroy` gives it back. */
export class View {
  constructor(model, el) {
    this.model = model;
    this.el = el;
    this.store = storeOf(model);
    this.canvas = document.createElement("canvas");
    this.canvas.className = "up-canvas";
    this.canvas.tabIndex = 0;
    ownKeys(this.canvas);
    this.canvas.setAttribute("role", "application");
    this.canvas.setAttribute("aria-roledescription", "image of a detector");
    this.context = this.canvas.getContext("2d", { alpha: false });
    this.sketches = new WeakMap();
    this.plot = { at: [0, 0], dots: [1, 1] };
    this.pick = null; // chosen here, before the kernel says so
    this.ratio = 1;
    this.panel = new Panel(this);
    this.pointer = new Pointer(this);
    el.append(this.panel.element);
    this.panel.element.addEventListener("keydown", (event) => this.keyDown(event));
    this.panel.element.addEventListener("keyup", (event) => {
      if (event.key === " ") this.pointer.space = false;
    });
    this.watchTheme();
    this.watchConnection();
    this.resizing = new ResizeObserver(() => this.resize());
    this.resizing.observe(this.panel.stage);
    this.listen();
    this.panel.refreshTools();
    this.panel.refreshLegend();
    this.panel.refreshReadout(null);
    this.resize();
  }

  listen() {
    const { model } = this;
    const on = (names, act) => names.forEach((name) => model.on(`change:${name}`, act));
    on([...DRAWN, ...OTHERS], () => this.invalidate());
    on(["x", "y"], () => (this.pick = null));
    on(["flags_shown", "layers_hidden", "threshold_shown", "threshold_colour"], () =>
      this.panel.refreshLegend(),
    );
    on([...SHOWN, ...DRAWN, "tool", "brush"], () => this.panel.refreshSoon());
    on(["busy", "status"], () => this.panel.refreshState());
    on(["tools"], () => this.panel.refreshTools());
    on(["readout"], () => this.showReadout());
    on(["frame"], () => {
      this.panel.refresh();
      this.invalidate();
      this.hoverAgain();
      this.store.pump();
    });
    on(["playing"], () => this.play());
    on(["height"], () => this.resize());
    this.play();
  }

  destroy() {
    this.dead = true;
    clearInterval(this.player);
    cancelAnimationFrame(this.pending);
    this.resizing.disconnect();
    this.themes.disconnect();
    this.scheme.removeEventListener("change", this.onScheme);
    this.disconnects?.disconnect();
    this.unwatch?.();
    this.store.leave(this);
  }

  watchTheme() {
    const again = () => {
      this.readTheme();
      this.invalidate();
      this.panel.histogram.draw();
    };
    // A theme is a sheet that comes a little after the page says so.
    this.onScheme = () => [0, 150, 600].forEach((wait) => setTimeout(again, wait));
    this.themes = new MutationObserver(this.onScheme);
    const options = { attributes: true, attributeFilter: ["class", "data-jp-theme-name", "data-vscode-theme-kind"] };
    this.themes.observe(document.body, options);
    this.themes.observe(document.documentElement, { attributes: true, attributeFilter: ["class", "data-theme"] });
    this.scheme = window.matchMedia("(prefers-color-scheme: dark)");
    this.scheme.addEventListener("change", this.onScheme);
  }

  readTheme() {
    const { element } = this.panel;
    const page = groundOf(this.el);
    if (page) element.style.setProperty("--up-page", page);
    else element.style.removeProperty("--up-page");
    const style = getComputedStyle(element);
    const of = (name) => style.getPropertyValue(name).trim();
    // A canvas takes no light-dark() and no variables: probe what they come to.
    const probe = document.createElement("span");
    element.append(probe);
    const colour = (name) => {
      probe.style.color = `var(${name})`;
      return getComputedStyle(probe).color;
    };
    this.theme = {
      ground: colour("--up-ground"),
      outside: colour("--up-outside"),
      missing: colour("--up-missing"),
      soft: colour("--up-soft"),
      line: colour("--up-line"),
      faint: colour("--up-faint"),
      bars: colour("--up-bars"),
      accent: "#ffd23f",
      erased: "#ffffff",
      font: of("--up-font") || "sans-serif",
    };
    probe.remove();
  }

  /** Notice when the kernel goes away, by what each front end says of it. */
  watchConnection() {
    const { store, model } = this;
    const marked = () => {
      if (this.el.classList.contains("jupyter-widgets-disconnected")) store.lost(store.gone ?? "closed");
    };
    this.disconnects = new MutationObserver(marked);
    this.disconnects.observe(this.el, { attributes: true, attributeFilter: ["class"] });
    const kernel = model.widget_manager?.kernel;
    if (!kernel?.connectionStatusChanged) return;
    const connection = (_, status) => {
      if (store.gone === "restarted") return;
      if (status === "connected") store.found();
      else store.lost("offline");
    };
    const status = (_, now) => {
      if (now === "restarting" || now === "autorestarting") store.lost("restarted");
      else if (now === "dead" || now === "terminating") store.lost("closed");
    };
    kernel.connectionStatusChanged.connect(connection);
    kernel.statusChanged?.connect(status);
    this.unwatch = () => {
      kernel.connectionStatusChanged.disconnect(connection);
      kernel.statusChanged?.disconnect(status);
    };
  }

  resize() {
    const { stage } = this.panel;
    this.shapeStage();
    const width = stage.clientWidth;
    const height = stage.clientHeight;
    if (!width || !height || this.dead) return;
    this.ratio = window.devicePixelRatio || 1;
    this.readTheme(); // only an element in the page has one
    const dots = [Math.round(width * this.ratio), Math.round(height * this.ratio)];
    if (this.canvas.width !== dots[0] || this.canvas.height !== dots[1]) {
      [this.canvas.width, this.canvas.height] = dots;
    }
    const at = [Math.round(LEFT * this.ratio), Math.round(TOP * this.ratio)];
    const right = Math.round(RIGHT * this.ratio);
    const below = Math.round(BOTTOM * this.ratio);
    const size = [Math.max(1, dots[0] - at[0] - right), Math.max(1, dots[1] - at[1] - below)];
    this.plot = { at, dots: size };
    if (this.joined) this.store.pump();
    else {
      this.joined = true;
      this.store.join(this);
    }
    this.draw(); // a canvas that changes size is empty until it is drawn
    this.panel.histogram.draw();
  }

  /** Make the stage as wide as the detector needs at its height; lower, if there is no room. */
  shapeStage() {
    const { stage, element } = this.panel;
    const most = this.model.get("height");
    const [ny, nx] = this.store.shape;
    const aspect = Math.min(2.4, Math.max(1, nx / ny));
    const wide = Math.round((most - TOP - BOTTOM) * aspect + LEFT + RIGHT);
    element.style.setProperty("--up-stage", `${wide}px`);
    const room = stage.clientWidth;
    const narrow = room > 0 && room < wide;
    const needed = (room - LEFT - RIGHT) / aspect + TOP + BOTTOM;
    const height = narrow ? Math.min(most, Math.max(160, needed)) : most;
    stage.style.height = `${Math.round(height)}px`;
  }

  invalidate() {
    if (this.pending || this.dead) return;
    this.pending = requestAnimationFrame(() => {
      this.pending = 0;
      this.draw();
    });
  }

  draw() {
    if (this.dead || !this.theme) return;
    drawStage(this);
    this.panel.refreshState();
    const { plot, ratio, store } = this;
    const tiles = this.drawnTiles();
    const detail = { at: performance.now(), tiles, frame: store.frame, plot, ratio };
    detail.range = store.visible(this);
    this.panel.element.dispatchEvent(new CustomEvent("upramp-drawn", { detail, bubbles: true }));
  }

  drawnTiles() {
    const parts = ["image", "significance", "masks"].flatMap((part) => this.store.showing(part));
    return parts.map((tile) => `${tile.part}/${tile.tier}/${tile.frame}/${tile.version}`);
  }

  coveredBy(tile) {
    return covers(tile, this.store.visible(this), this.store.shape);
  }

  sceneChanged() {
    if (this.model.get("frame") >= (this.store.scene?.frames ?? 1)) this.pick = null;
    const label = this.model.get("title") || "detector image";
    const [ny, nx] = this.store.shape;
    this.canvas.setAttribute("aria-label", `${label}, ${nx} by ${ny} pixels; press ? for the keys`);
    this.shapeStage();
    this.panel.refreshLegend();
    this.panel.refresh();
  }

  chosen() {
    return this.pick ?? [this.model.get("x"), this.model.get("y")];
  }

  choose(x, y, modifiers) {
    const [ny, nx] = this.store.shape;
    if (x < 0 || y < 0 || x >= nx || y >= ny) return;
    this.pick = [x, y];
    this.store.send({ kind: "click", page: this.store.page, x, y, modifiers });
    this.invalidate();
  }

  hover(place) {
    this.over = null;
    if (place && this.store.scene?.frames) {
      const [x, y] = place.map(Math.round);
      const [ny, nx] = this.store.shape;
      if (x >= 0 && y >= 0 && x < nx && y < ny) {
        this.over = [x, y];
        // While a button is down the kernel is to be free for what comes of it.
        if (!this.pointer.pressed) this.store.cursor(place[0], place[1]);
      }
    }
    this.showReadout();
  }

  /** Ask anew what is under a cursor that rests: it is another value now. */
  hoverAgain() {
    this.store.cursorLast = null;
    if (this.pointer.place) this.hover(this.pointer.place);
  }

  pointed() {
    this.showReadout();
  }

  showReadout() {
    const { over, store } = this;
    if (!over) {
      this.panel.refreshReadout(null);
      return;
    }
    // The kernel's word is exact; until it comes, what the tiles tell.
    const said = store.pointed;
    if (said && said.x === over[0] && said.y === over[1] && said.frame === store.frame) {
      const exact = said.value === null ? NaN : said.value; // JSON knows no NaN
      this.panel.refreshReadout(over, exact, said.flags, "");
      return;
    }
    const tile = store.showing("image").at(-1);
    const code = tile && cellAt(tile, over[0], over[1]);
    const whole = tile?.factor === 1;
    const value = code === undefined ? undefined : decodeTable(tile.centre, tile.scale, tile.top)[code];
    this.panel.refreshReadout(over, value, this.flagsAt(over), whole ? "" : "mean");
  }

  flagsAt([x, y]) {
    const { scene } = this.store;
    const tile = this.store.showing("masks").at(-1);
    if (!tile || tile.factor !== 1) return [];
    const flags = cellAt(tile, x, y) ?? 0;
    return scene.masks.filter((_, bit) => Math.floor(flags / 2 ** bit) % 2).map((m) => m.label);
  }

  setLimits([low, high]) {
    this.model.set("vmin", low);
    this.model.set("vmax", high);
    this.store.save();
    this.panel.histogram.draw();
  }

  useTool(name) {
    this.pointer.cancel();
    this.store.set("tool", name);
    this.say(`tool: ${name}`);
  }

  fit() {
    const [ny, nx] = this.store.shape;
    const range = { x: [-0.5, nx - 0.5], y: [-0.5, ny - 0.5] };
    this.store.setRange(range, this);
  }

  act(name) {
    this.store.send({ kind: "action", page: this.store.page, name });
  }

  stepFrame(by) {
    if ((this.store.scene?.frames ?? 0) > 1) this.store.step(this.store.frame + by);
    else this.act(by < 0 ? "previous" : "next");
  }

  blinkOnce() {
    if ((this.store.scene?.frames ?? 0) > 1) this.store.step(this.store.frame + 1);
    else this.act("blink");
  }

  togglePlaying() {
    if ((this.store.scene?.frames ?? 0) > 1) this.store.set("playing", !this.model.get("playing"));
    else this.act("blink");
  }

  play() {
    clearInterval(this.player);
    this.player = null;
    this.panel.refresh();
    if (!this.model.get("playing")) return;
    this.store.pump();
    this.player = setInterval(() => {
      // Of two views of one model, one steps.
      const first = this.store.views.values().next().value;
      if (first === this && this.store.ready(this.store.frame + 1)) {
        this.store.step(this.store.frame + 1);
      }
    }, BLINK);
  }

  keyDown(event) {
    const field = event.target.closest("input, select, textarea");
    const typed = field && (field.type === "number" || field.tagName !== "INPUT");
    const slides = field?.type === "range" && /^(Arrow|Home|End|Page)/.test(event.key);
    const presses = event.target.closest("button, input[type=checkbox]") && /^( |Enter)$/.test(event.key);
    if (typed || slides || presses) {
      event.stopPropagation();
      return;
    }
    if (onKey(this, event)) {
      event.preventDefault();
      event.stopPropagation();
    }
  }

  helpShown() {
    return !this.panel.help.hidden;
  }

  toggleHelp() {
    this.panel.help.hidden = !this.panel.help.hidden;
    if (this.panel.help.hidden) this.canvas.focus({ preventScroll: true });
    else this.panel.help.querySelector("button").focus({ preventScroll: true });
  }

  say(text) {
    this.panel.said.textContent = text;
  }
}
