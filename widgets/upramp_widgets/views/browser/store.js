// What a page knows of one model: the scene, its tiles and layers. Views draw from it.
//
// It asks the kernel for what is missing or old, with one question at a time: while an answer
// is on its way nothing is asked, and then only what is wanted by then. What is old is shown
// until the new is there, so that the picture never has a hole.

import { covers, factorFor, holding } from "./geometry.js";
import { tileFrom } from "./tiles.js";

const PARTS = ["image", "significance", "masks"];
const SLOW = 1200; // ms after which a page says that it waits
const GIVEN_UP = 15000; // ms after which a question is asked anew
const SHORT = 700; // ms for which a lost connection is not spoken of
const UNSEEN = 300; // ms after which a picture counts as seen
const SAVE = 40; // ms between two reports of a range that is being dragged

const stores = new Map();

/** Give the store of a model; all its views in this page share it. */
export function storeOf(model) {
  const key = model.get("_key");
  if (!stores.has(key)) stores.set(key, new Store(model));
  return stores.get(key);
}

/** Forget the store of a model that is gone. */
export function forget(model) {
  stores.get(model.get("_key"))?.close();
  stores.delete(model.get("_key"));
}

class Store {
  constructor(model) {
    this.model = model;
    this.alone = Boolean(model.alone);
    this.page = Math.random().toString(36).slice(2);
    this.views = new Set();
    this.scene = null;
    this.layers = new Map();
    this.tiles = new Map();
    this.last = {};
    this.strokes = []; // committed, but not yet in the kernel's mask
    this.sequence = 0;
    this.asked = null;
    this.cursorAsked = false;
    this.cursorNext = null;
    this.stepped = false;
    this.foreseen = false; // the scene came before this page asked for it
    this.waiting = false;
    this.problem = "";
    this.onMessage = (content, buffers) => this.receive(content, buffers || []);
    this.onRange = () => this.redraw(true);
    model.on("msg:custom", this.onMessage);
    model.on("change:xlim", this.onRange);
    model.on("change:ylim", this.onRange);
    this.range = null; // set while this page changes it, ahead of the model
    this.timer = setInterval(() => this.watch(), 400);
  }

  close() {
    clearInterval(this.timer);
    this.model.off("msg:custom", this.onMessage);
    this.model.off("change:xlim", this.onRange);
    this.model.off("change:ylim", this.onRange);
  }

  get shape() {
    return this.scene ? this.scene.shape : [1, 1];
  }

  get frame() {
    return Math.min(this.model.get("frame"), Math.max(0, (this.scene?.frames ?? 1) - 1));
  }

  /** Let a view draw; the first one starts the talk. */
  join(view) {
    this.views.add(view);
    this.active ??= view;
    if (!this.scene) this.hello();
    else if (this.foreseen) this.helloSoon();
    else this.pump();
  }

  leave(view) {
    this.views.delete(view);
    if (this.active === view) this.active = this.views.values().next().value ?? null;
  }

  /** Ask for the rest when the first picture is on the screen: the kernel is busy from then on. */
  helloSoon() {
    const greet = () => this.foreseen && this.active && this.hello();
    requestAnimationFrame(() => setTimeout(greet, 0));
    setTimeout(greet, UNSEEN); // a page that nobody sees has no frames
  }

  hello() {
    this.foreseen = false;
    this.asked = { sequence: ++this.sequence, at: performance.now(), factors: {} };
    const view = this.viewport(this.active);
    const have = [...this.tiles.values()].map((t) => [t.part, t.tier, t.frame, t.version]);
    this.send({ kind: "ready", page: this.page, seq: this.sequence, view, have });
  }

  viewport(view) {
    const { x, y } = this.visible(view);
    return { xlim: x, ylim: y, width: view.plot.dots[0], height: view.plot.dots[1] };
  }

  /** Give the range that a view shows. */
  visible(view) {
    const xlim = this.range?.x ?? this.model.get("xlim");
    const ylim = this.range?.y ?? this.model.get("ylim");
    return holding(xlim, ylim, view.plot.dots[0], view.plot.dots[1]);
  }

  /** Show another range, at once, and tell the kernel when there is time. */
  setRange(range, view) {
    this.active = view;
    this.range = range;
    this.redraw();
    this.pump();
    this.saver ??= setTimeout(() => {
      this.saver = null;
      this.model.set("xlim", this.range.x);
      this.model.set("ylim", this.range.y);
      this.range = null;
      this.save();
    }, SAVE);
  }

  set(name, value) {
    if (this.model.get(name) === value) return;
    this.model.set(name, value);
    this.save();
  }

  save() {
    try {
      this.model.save_changes();
    } catch {
      this.lost("closed");
    }
  }

  send(content) {
    try {
      this.model.send(content);
    } catch {
      this.lost("closed");
    }
  }

  /** Say why nothing comes from the kernel any more: closed, restarted or offline. */
  lost(why) {
    if (this.gone === why) return;
    this.gone = why;
    this.goneAt = performance.now();
    this.asked = null;
    this.redraw();
    setTimeout(() => this.redraw(), SHORT + 50);
  }

  /** Say why, when it is worth saying: connections that come back at once are not. */
  get missing() {
    const short = this.gone === "offline" && performance.now() - this.goneAt < SHORT;
    return short ? null : this.gone;
  }

  /** Go on after the kernel can be reached again. */
  found() {
    if (!this.gone) return;
    this.gone = null;
    this.asked = null;
    if (this.active) this.hello();
    this.redraw();
  }

  receive(content, buffers) {
    if (content.page && content.page !== this.page) return; // another page's question
    if (content.kind === "scene") this.meet(content);
    else if (content.kind === "layer") this.lay(content, buffers);
    else if (content.kind === "cursor") this.point(content);
    else if (content.kind === "stroke") this.committed(content.id);
    else if (content.kind === "tiles") this.take(content, buffers);
    else if (content.kind === "ahead") this.foresee(content, buffers);
  }

  /** Take what the kernel sends while its cell still runs, and cannot be asked. */
  foresee(content, buffers) {
    if (this.scene || this.asked) return;
    this.foreseen = true;
    this.keep(content.parts, buffers);
    this.meet(content.scene);
  }

  meet(scene) {
    const before = this.scene;
    this.scene = scene;
    for (const [key, tile] of this.tiles) {
      const gone = tile.part === "image" && tile.frame >= scene.frames;
      const old = tile.version !== scene.versions[tile.part];
      if (gone || (old && tile.part === "image" && tile !== this.last.image?.[tile.tier])) {
        this.tiles.delete(key);
      }
    }
    if (!scene.significance) this.drop("significance");
    if (!scene.masks.length) this.drop("masks");
    if (before && before.versions.masks !== scene.versions.masks && !scene.masks.length) {
      this.strokes = [];
    }
    for (const view of this.views) {
      view.sceneChanged();
      if (before && before.versions.image !== scene.versions.image) view.hoverAgain();
    }
    this.redraw();
    this.pump();
  }

  drop(part) {
    for (const [key, tile] of this.tiles) if (tile.part === part) this.tiles.delete(key);
    delete this.last[part];
  }

  lay(content, buffers) {
    if (content.header === null) {
      this.layers.delete(content.name);
    } else {
      const arrays = buffers.map((b) => {
        const whole = b.byteOffset % 4 === 0 ? b : new DataView(b.buffer.slice(b.byteOffset));
        return new Float32Array(whole.buffer, whole.byteOffset, b.byteLength / 4);
      });
      this.layers.set(content.name, { ...content.header, arrays });
    }
    for (const view of this.views) view.sceneChanged();
    this.redraw();
  }

  take(content, buffers) {
    if (!this.asked || content.seq !== this.asked.sequence) return;
    for (const tile of this.keep(content.parts, buffers, this.asked.factors)) {
      if (tile.part === "masks" && tile.tier === "base") {
        this.strokes = this.strokes.filter((stroke) => stroke.after >= content.seq);
      }
    }
    this.problem = content.problem ?? "";
    this.asked = null;
    this.waiting = false;
    this.redraw();
    this.pump();
  }

  keep(headers, buffers, factors = {}) {
    return headers.map((header, at) => {
      const tile = tileFrom(header, buffers[at]);
      const key = `${tile.part}/${tile.tier}/${tile.frame}`;
      tile.asked = factors[key] ?? tile.factor;
      this.tiles.set(key, tile);
      return tile;
    });
  }

  /** Give the tiles of a part to draw, the coarse first: the right ones or the last there were. */
  showing(part) {
    if (!this.scene) return [];
    const frame = part === "image" ? this.frame : 0;
    const base = this.tiles.get(`${part}/base/${frame}`);
    const sharp = this.tiles.get(`${part}/sharp/${frame}`);
    const version = this.scene.versions[part];
    if (base?.version === version) {
      this.last[part] = { base, sharp: sharp?.version === version ? sharp : undefined };
    }
    const shown = this.last[part];
    return shown ? [shown.base, shown.sharp].filter(Boolean) : [];
  }

  /** Ask for what is wanted, unless an answer is on its way. */
  pump() {
    if (this.asked || this.foreseen || this.gone || this.alone) return;
    if (!this.active || !this.scene?.frames) return;
    const view = this.active;
    const factors = {};
    const want = [];
    this.wanted(view, this.frame, want, factors);
    if (!want.length) this.ahead(view, want, factors);
    if (!want.length) return;
    const sequence = ++this.sequence;
    this.asked = { sequence, at: performance.now(), factors };
    const viewport = this.viewport(view);
    this.send({ kind: "tiles", page: this.page, seq: sequence, view: viewport, want });
  }

  wanted(view, frame, want, factors, parts = PARTS) {
    const range = this.visible(view);
    for (const part of parts) {
      if (part === "significance" && !this.scene.significance) continue;
      if (part === "masks" && !this.scene.masks.length) continue;
      const of = part === "image" ? frame : 0;
      const version = this.scene.versions[part];
      const base = this.tiles.get(`${part}/base/${of}`);
      if (base?.version !== version) want.push([part, "base", of]);
      const known = base ?? this.last[part]?.base;
      const factor = factorFor(part, range.perDot);
      if (!known || known.factor === factor) continue;
      const key = `${part}/sharp/${of}`;
      const sharp = this.tiles.get(key);
      const good = sharp?.version === version && sharp.asked === factor;
      if (!good || !covers(sharp, range, this.shape)) {
        want.push([part, "sharp", of]);
        factors[key] = factor;
      }
    }
  }

  /** Ask ahead for the next frame; when frames are stepped through, for all, one by one. */
  ahead(view, want, factors) {
    const { frames } = this.scene;
    const far = this.stepped || this.model.get("playing") ? frames - 1 : Math.min(1, frames - 1);
    for (let step = 1; step <= far && !want.length; step++) {
      this.wanted(view, (this.frame + step) % frames, want, factors, ["image"]);
    }
  }

  /** Go to a frame: drawn at once if it is here. */
  step(to) {
    const frames = this.scene?.frames ?? 1;
    const frame = ((to % frames) + frames) % frames;
    if (frame === this.model.get("frame")) return;
    this.stepped = true;
    this.set("frame", frame);
    this.redraw();
    this.pump();
  }

  /** Say whether a frame can be drawn now. */
  ready(frame) {
    const tile = this.tiles.get(`image/base/${frame % this.scene.frames}`);
    return tile?.version === this.scene.versions.image;
  }

  /** Hand a stroke to the kernel; it stays drawn until the kernel's mask holds it. */
  commit(stroke) {
    const id = (this.commits = (this.commits ?? 0) + 1);
    this.send({ kind: "stroke", page: this.page, id, ...stroke });
    this.strokes.push({ ...stroke, id, after: this.sequence, at: performance.now() });
    this.redraw();
  }

  /** A stroke was handled; if that changed no mask, none will come that holds it. */
  committed(id) {
    const mask = this.tiles.get("masks/base/0");
    if (mask && mask.version !== this.scene.versions.masks) return;
    this.strokes = this.strokes.filter((stroke) => stroke.id !== id);
    this.redraw();
  }

  /** Tell the kernel where the cursor is: the last place, when it has answered the one before. */
  cursor(x, y) {
    if (this.gone || this.alone) return;
    const [lastX, lastY] = this.cursorLast ?? [];
    if (x === lastX && y === lastY) return; // some browsers report moves of nothing
    this.cursorLast = [x, y];
    if (this.cursorAsked) {
      this.cursorNext = [x, y];
      return;
    }
    this.cursorAsked = true;
    this.send({ kind: "cursor", page: this.page, x, y });
  }

  point(content) {
    this.cursorAsked = false;
    this.pointed = content;
    for (const view of this.views) view.pointed(content);
    const next = this.cursorNext;
    this.cursorNext = null;
    if (next) this.cursor(...next);
  }

  watch() {
    const now = performance.now();
    const late = this.asked && !this.gone ? now - this.asked.at : 0;
    if (late > GIVEN_UP) {
      this.asked = null;
      this.cursorAsked = false;
      if (this.scene) this.pump();
      else if (this.active) this.hello();
    }
    // A stroke that no mask took up, because nothing listens, does not stay for ever.
    const strokes = this.strokes.filter((stroke) => now - stroke.at < GIVEN_UP);
    const waiting = late > SLOW || (this.waiting && late > 0);
    if (waiting !== this.waiting || strokes.length !== this.strokes.length) {
      this.waiting = waiting;
      this.strokes = strokes;
      this.redraw();
    }
  }

  redraw(ask = false) {
    for (const view of this.views) view.invalidate();
    if (ask) this.pump();
  }
}
