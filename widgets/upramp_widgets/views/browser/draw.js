// Draws a view: image, flags, layers, axes. All in dots of the screen; nothing here asks anyone.

import { colourTable, pixelTable } from "./codes.js";
import { discRows, ticks } from "./geometry.js";
import { coarser, paintAbove, paintImage, paintMasks } from "./tiles.js";

const COLOURS = new Map();
const MANY = 80; // marks: more have no words

/** Draw all of a view's stage. */
export function drawStage(view) {
  const { context, store, plot, theme } = view;
  const ratio = view.ratio;
  const [left, top] = plot.at;
  const [width, height] = plot.dots;
  const range = store.visible(view);
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.fillStyle = theme.ground;
  context.fillRect(0, 0, context.canvas.width, context.canvas.height);
  context.save();
  context.beginPath();
  context.rect(left, top, width, height);
  context.clip();
  context.fillStyle = theme.outside;
  context.fillRect(left, top, width, height);
  const toScreen = {
    x: (x) => left + ((x - range.x[0]) / (range.x[1] - range.x[0])) * width,
    y: (y) => top + height - ((y - range.y[0]) / (range.y[1] - range.y[0])) * height,
    perPixel: width / (range.x[1] - range.x[0]),
  };
  if (store.scene?.frames) {
    drawTiles(view, toScreen);
    drawLayers(view, toScreen, ratio);
    drawPixel(view, toScreen, ratio);
    drawSketch(view, toScreen, ratio);
  }
  context.restore();
  drawAxes(view, range, toScreen, ratio);
}

function drawTiles(view, toScreen) {
  const { context, store, model } = view;
  const [ny, nx] = store.shape;
  const scale = toScreen.perPixel;
  context.save();
  context.setTransform(scale, 0, 0, -scale, toScreen.x(0), toScreen.y(0));
  context.beginPath();
  context.rect(-0.5, -0.5, nx, ny);
  context.clip();
  context.fillStyle = view.theme.missing;
  context.fillRect(-0.5, -0.5, nx, ny);
  const put = (tile) => {
    // Cells smaller than a dot are blended, so that the picture stays quiet.
    context.imageSmoothingEnabled = tile.factor * scale < 0.98;
    const side = tile.factor;
    const [x, y] = [tile.x0 - 0.5, tile.y0 - 0.5];
    context.drawImage(tile.canvas, x, y, tile.width * side, tile.height * side);
  };
  const colours = imageColours(model);
  const limits = limitsOf(store);
  const stretch = model.get("stretch");
  const quantiles = store.scene.quantiles;
  const equal = stretch === "equalised" ? quantiles.join() : "";
  const key = `${limits}/${stretch}/${model.get("cmap")}/${equal}`;
  const table = (tile) => pixelTable(tile, limits, stretch, quantiles, colours);
  for (const tile of seen(store.showing("image"), store, view)) {
    paintImage(tile, key, table);
    put(tile);
  }
  if (model.get("threshold_shown")) {
    const steps = stepsOf(model.get("threshold"), store.scene.step);
    const tiles = wide(seen(store.showing("significance"), store, view), scale);
    for (const tile of tiles) {
      paintAbove(tile, steps, model.get("threshold_colour"));
      clearUnder(context, tile, tiles, () => put(tile));
    }
  }
  const shown = new Set(model.get("flags_shown"));
  const masks = store.scene.masks.map((mask) => (shown.has(mask.name) ? mask.colour : null));
  if (masks.some(Boolean)) {
    const tiles = wide(seen(store.showing("masks"), store, view), scale);
    for (const tile of tiles) {
      paintMasks(tile, masks);
      clearUnder(context, tile, tiles, () => put(tile));
    }
  }
  context.restore();
}

/** Let no cell of a flag be smaller than a dot: it would be blended away. */
function wide(tiles, scale) {
  return tiles.map((tile) => coarser(tile, Math.ceil(0.98 / (tile.factor * scale))));
}

/** Leave out the coarse tile where the fine one holds all that is seen: it costs time to paint. */
function seen(tiles, store, view) {
  if (tiles.length < 2) return tiles;
  return view.coveredBy(tiles[1]) ? [tiles[1]] : tiles;
}

/** Draw a see-through tile, but not where a finer one of the same part will be. */
function clearUnder(context, tile, tiles, put) {
  const fine = tiles.at(-1);
  if (tile === fine) {
    put();
    return;
  }
  context.save();
  const far = 1e5;
  context.beginPath();
  context.rect(-far, -far, 2 * far, 2 * far);
  const side = fine.factor;
  context.rect(fine.x0 - 0.5, fine.y0 - 0.5, fine.width * side, fine.height * side);
  context.clip("evenodd");
  put();
  context.restore();
}

/** Give a threshold in steps of the codes: above() compares whole numbers exactly. */
export function stepsOf(threshold, step) {
  return Math.floor(threshold / step + 1e-6);
}

export function imageColours(model) {
  const name = model.get("cmap");
  if (!COLOURS.has(name)) COLOURS.set(name, colourTable(name, model.get("_colormaps")));
  return COLOURS.get(name);
}

/** Give the limits that are set, or those that the scene suggests. */
export function limitsOf(store) {
  const low = store.model.get("vmin");
  const high = store.model.get("vmax");
  const [first, last] = store.scene?.limits ?? [0, 1];
  return [low ?? first, high ?? last];
}

/** Draw lines and marks, and then all words: no line crosses one. */
function drawLayers(view, toScreen, ratio) {
  const hidden = new Set(view.model.get("layers_hidden"));
  view.words = [];
  for (const [name, layer] of view.store.layers) {
    if (hidden.has(name)) continue;
    if (layer.kind === "curves") drawCurves(view, layer, toScreen, ratio);
    else if (layer.kind === "points") drawPoints(view, layer, toScreen, ratio);
    else if (layer.kind === "arrows") drawArrows(view, layer, toScreen, ratio);
    else if (layer.kind === "compass") drawCompass(view, layer, toScreen, ratio);
  }
  for (const word of view.words) halo(view, ratio, ...word);
}

function drawCurves(view, layer, toScreen, ratio) {
  const { context } = view;
  const [xy] = layer.arrays;
  const path = new Path2D();
  const places = [];
  let at = 0;
  for (const length of layer.lengths) {
    let pen = false;
    let label = null;
    for (let i = at; i < at + length; i++) {
      const x = toScreen.x(xy[2 * i]);
      const y = toScreen.y(xy[2 * i + 1]);
      if (Number.isNaN(x) || Number.isNaN(y)) {
        pen = false;
        continue;
      }
      if (pen) path.lineTo(x, y);
      else path.moveTo(x, y);
      pen = true;
      label = betterPlace(label, x, y, view.plot);
    }
    if (layer.closed && pen) path.closePath();
    places.push(label);
    at += length;
  }
  context.setLineDash(layer.dashed ? [6 * ratio, 4 * ratio] : []);
  context.lineJoin = "round";
  // A dark seam keeps a light line readable on a light star.
  context.strokeStyle = "rgba(0, 0, 0, 0.45)";
  context.lineWidth = (layer.width + 1.4) * ratio;
  context.stroke(path);
  context.strokeStyle = layer.colour;
  context.lineWidth = layer.width * ratio;
  context.stroke(path);
  context.setLineDash([]);
  layer.labels.forEach((text, i) => {
    if (places[i]) view.words.push([text, places[i].x, places[i].y, layer.colour]);
  });
}

/** Choose where a line's label goes: inside, as near to the left or lower edge as it comes. */
function betterPlace(found, x, y, plot) {
  const [left, top] = plot.at;
  const [width, height] = plot.dots;
  if (x < left + 4 || x > left + width - 4 || y < top + 12 || y > top + height - 4) return found;
  const cost = Math.min(x - left, top + height - y);
  return !found || cost < found.cost ? { x, y, cost } : found;
}

function halo(view, ratio, text, x, y, colour, align = "start") {
  const { context, plot } = view;
  if (!text) return;
  context.font = `500 ${11.5 * ratio}px ${view.theme.font}`;
  const wide = context.measureText(text).width;
  const gap = 5 * ratio;
  const right = plot.at[0] + plot.dots[0];
  const flip = align === "start" && x + gap + wide > right - gap;
  const place = align === "centre" ? x - wide / 2 : flip ? x - gap - wide : x + gap;
  context.textAlign = "left";
  context.textBaseline = "alphabetic";
  context.lineJoin = "round";
  context.strokeStyle = "rgba(0, 0, 0, 0.85)";
  context.lineWidth = 5 * ratio;
  context.strokeText(text, place, y - 4 * ratio);
  context.fillStyle = colour;
  context.fillText(text, place, y - 4 * ratio);
}

function drawPoints(view, layer, toScreen, ratio) {
  const { context, plot } = view;
  const [xs, ys] = layer.arrays;
  const half = (layer.size / 2) * ratio;
  const path = new Path2D();
  const shown = [];
  for (let i = 0; i < xs.length; i++) {
    const x = toScreen.x(xs[i]);
    const y = toScreen.y(ys[i]);
    if (!(x > plot.at[0] - half && x < plot.at[0] + plot.dots[0] + half)) continue;
    if (!(y > plot.at[1] - half && y < plot.at[1] + plot.dots[1] + half)) continue;
    shown.push([i, x, y]);
  }
  // Where there are many, the image is to be seen between them.
  const many = shown.length > MANY;
  const size = many ? 0.75 * half : half;
  for (const [, x, y] of shown) mark(path, layer.shape, x, y, size);
  context.globalAlpha = many ? 0.7 : 1;
  if (layer.shape === "dot") {
    context.fillStyle = layer.colour;
    context.fill(path);
  } else {
    context.strokeStyle = "rgba(0, 0, 0, 0.5)";
    context.lineWidth = (many ? 2 : 3) * ratio;
    context.stroke(path);
    context.strokeStyle = layer.colour;
    context.lineWidth = (many ? 1 : 1.5) * ratio;
    context.stroke(path);
  }
  context.globalAlpha = 1;
  if (layer.labels.length && shown.length <= MANY) {
    for (const [i, x, y] of shown) {
      view.words.push([layer.labels[i], x + half * 0.7, y - half * 0.4, layer.colour]);
    }
  }
}

function mark(path, shape, x, y, half) {
  if (shape === "circle" || shape === "dot") {
    path.moveTo(x + half, y);
    path.arc(x, y, half, 0, 2 * Math.PI);
  } else if (shape === "square") {
    path.rect(x - half, y - half, 2 * half, 2 * half);
  } else if (shape === "diamond") {
    path.moveTo(x, y - half);
    path.lineTo(x + half, y);
    path.lineTo(x, y + half);
    path.lineTo(x - half, y);
    path.closePath();
  } else {
    const [a, b] = shape === "plus" ? [half, 0] : [half * 0.75, half * 0.75];
    path.moveTo(x - a, y - b);
    path.lineTo(x + a, y + b);
    path.moveTo(x - b, y + a);
    path.lineTo(x + b, y - a);
  }
}

function drawArrows(view, layer, toScreen, ratio) {
  const { context } = view;
  const [xs, ys, dxs, dys] = layer.arrays;
  const path = new Path2D();
  for (let i = 0; i < xs.length; i++) {
    const [x0, y0] = [toScreen.x(xs[i]), toScreen.y(ys[i])];
    const x1 = toScreen.x(xs[i] + dxs[i] * layer.scale);
    const y1 = toScreen.y(ys[i] + dys[i] * layer.scale);
    if (!Number.isFinite(x0 + y0 + x1 + y1)) continue;
    arrow(path, x0, y0, x1, y1, ratio);
  }
  context.lineCap = "round";
  context.strokeStyle = "rgba(0, 0, 0, 0.5)";
  context.lineWidth = 3.2 * ratio;
  context.stroke(path);
  context.strokeStyle = layer.colour;
  context.lineWidth = 1.6 * ratio;
  context.stroke(path);
}

function arrow(path, x0, y0, x1, y1, ratio) {
  const long = Math.hypot(x1 - x0, y1 - y0);
  const head = Math.min(7 * ratio, long * 0.45);
  const turn = Math.atan2(y1 - y0, x1 - x0);
  path.moveTo(x0, y0);
  path.lineTo(x1, y1);
  for (const side of [-0.45, 0.45]) {
    path.moveTo(x1, y1);
    path.lineTo(x1 - head * Math.cos(turn + side), y1 - head * Math.sin(turn + side));
  }
}

function drawCompass(view, layer, toScreen, ratio) {
  const { context, plot } = view;
  const long = 24 * ratio;
  const x = plot.at[0] + plot.dots[0] - 48 * ratio;
  const y = plot.at[1] + 48 * ratio;
  context.fillStyle = "rgba(0, 0, 0, 0.3)";
  context.beginPath();
  context.arc(x, y, 42 * ratio, 0, 2 * Math.PI);
  context.fill();
  for (const [letter, [dx, dy]] of [["N", layer.north], ["E", layer.east]]) {
    const size = Math.hypot(dx, dy) || 1;
    const [ux, uy] = [dx / size, -dy / size];
    const path = new Path2D();
    arrow(path, x, y, x + ux * long, y + uy * long, ratio);
    context.lineCap = "round";
    context.strokeStyle = layer.colour;
    context.lineWidth = 2 * ratio;
    context.stroke(path);
    const [tx, ty] = [x + ux * (long + 9 * ratio), y + uy * (long + 9 * ratio)];
    view.words.push([letter, tx, ty + 8.5 * ratio, layer.colour, "centre"]);
  }
  if (layer.scale > 0) drawScaleBar(view, layer, toScreen, ratio);
}

function drawScaleBar(view, layer, toScreen, ratio) {
  const { context, plot } = view;
  const most = ((plot.dots[0] * 0.25) / toScreen.perPixel) * layer.scale;
  const power = 10 ** Math.floor(Math.log10(most));
  const length = power * [5, 2, 1].find((m) => m * power <= most);
  const dots = (length / layer.scale) * toScreen.perPixel;
  const x = plot.at[0] + plot.dots[0] - 20 * ratio - dots;
  const y = plot.at[1] + plot.dots[1] - 18 * ratio;
  for (const [colour, width] of [["rgba(0, 0, 0, 0.6)", 5], [layer.colour, 2.5]]) {
    context.strokeStyle = colour;
    context.lineWidth = width * ratio;
    context.lineCap = "butt";
    context.beginPath();
    context.moveTo(x, y);
    context.lineTo(x + dots, y);
    context.stroke();
  }
  const text = `${Number(length.toPrecision(3))}${layer.unit}`;
  view.words.push([text, x + dots / 2, y - 2 * ratio, layer.colour, "centre"]);
}

function drawPixel(view, toScreen, ratio) {
  const { context, store } = view;
  const [x, y] = view.chosen();
  const [ny, nx] = store.shape;
  if (x < 0 || y < 0 || x >= nx || y >= ny) return;
  const side = Math.max(toScreen.perPixel, 9 * ratio);
  const [cx, cy] = [toScreen.x(x), toScreen.y(y)];
  for (const [colour, width] of [["#000000", 3.5], [view.theme.accent, 1.75]]) {
    context.strokeStyle = colour;
    context.lineWidth = width * ratio;
    context.strokeRect(cx - side / 2, cy - side / 2, side, side);
    context.beginPath();
    for (const [ux, uy] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
      context.moveTo(cx + (ux * side) / 2, cy + (uy * side) / 2);
      context.lineTo(cx + ux * (side / 2 + 7 * ratio), cy + uy * (side / 2 + 7 * ratio));
    }
    context.stroke();
  }
}

/** Draw strokes that the kernel's mask does not hold yet, and the one under the hand. */
function drawSketch(view, toScreen, ratio) {
  const { context, store } = view;
  const live = view.pointer?.stroke;
  for (const stroke of live ? [...store.strokes, live] : store.strokes) {
    const colour = stroke.erase ? view.theme.erased : view.model.get("paint_colour");
    if (stroke.tool === "brush" || stroke.tool === "eraser") {
      context.globalAlpha = 0.78;
      context.drawImage(dabbed(view, stroke, toScreen, colour), 0, 0);
      context.globalAlpha = 1;
    } else {
      outline(context, stroke, toScreen, colour, ratio);
    }
  }
  const ring = view.pointer?.ring();
  if (!ring) return;
  context.strokeStyle = "#000000";
  context.lineWidth = 2.5 * ratio;
  const side = (2 * ring.radius + 1) * toScreen.perPixel;
  const [x, y] = [toScreen.x(ring.x), toScreen.y(ring.y)];
  for (const [colour, width] of [["#000000", 2.5], ["#ffffff", 1.2]]) {
    context.strokeStyle = colour;
    context.lineWidth = width * ratio;
    context.beginPath();
    if (ring.radius === 0) context.rect(x - side / 2, y - side / 2, side, side);
    else context.arc(x, y, side / 2, 0, 2 * Math.PI);
    context.stroke();
  }
}

/** Give a canvas with a brush's pixels. What is drawn already is kept while nothing moves. */
function dabbed(view, stroke, toScreen, colour) {
  const { width, height } = view.context.canvas;
  const key = [toScreen.x(0), toScreen.y(0), toScreen.perPixel, width, height, colour].join();
  let sketch = view.sketches.get(stroke);
  if (sketch?.key !== key) {
    const canvas = sketch?.canvas ?? document.createElement("canvas");
    canvas.width = width;
    canvas.height = height;
    sketch = { key, canvas, drawn: 0 };
    view.sketches.set(stroke, sketch);
  }
  const context = sketch.canvas.getContext("2d");
  const scale = toScreen.perPixel;
  context.setTransform(scale, 0, 0, -scale, toScreen.x(0), toScreen.y(0));
  context.fillStyle = colour;
  const least = Math.max(1, 1 / scale); // never thinner than a dot
  const rows = discRows(stroke.radius);
  for (; sketch.drawn < stroke.points.length; sketch.drawn++) {
    const [x, y] = stroke.points[sketch.drawn];
    for (const [dy, half] of rows) {
      context.fillRect(x - half - 0.5, y + dy - 0.5, Math.max(2 * half + 1, least), least);
    }
  }
  return sketch.canvas;
}

function outline(context, stroke, toScreen, colour, ratio) {
  const points = stroke.points.map(([x, y]) => [toScreen.x(x), toScreen.y(y)]);
  if (!points.length) return;
  const path = new Path2D();
  const [x0, y0] = points[0];
  const [x1, y1] = points.at(-1);
  if (stroke.tool === "circle" || stroke.tool === "snowball") {
    path.arc(x0, y0, Math.max(1, stroke.radius * toScreen.perPixel), 0, 2 * Math.PI);
  } else if (stroke.tool === "box") {
    path.rect(Math.min(x0, x1), Math.min(y0, y1), Math.abs(x1 - x0), Math.abs(y1 - y0));
  } else {
    path.moveTo(x0, y0);
    for (const [x, y] of points.slice(1)) path.lineTo(x, y);
    if (stroke.tool === "polygon" && !stroke.open) path.closePath();
  }
  context.save();
  if (stroke.tool !== "line") {
    context.globalAlpha = 0.25;
    context.fillStyle = colour;
    context.fill(path);
    context.globalAlpha = 1;
  }
  context.strokeStyle = "rgba(0, 0, 0, 0.6)";
  context.lineWidth = 3.5 * ratio;
  context.stroke(path);
  context.strokeStyle = colour;
  context.lineWidth = 1.8 * ratio;
  context.stroke(path);
  context.restore();
}

function drawAxes(view, range, toScreen, ratio) {
  const { context, plot, theme } = view;
  const [left, top] = plot.at;
  const [width, height] = plot.dots;
  context.strokeStyle = theme.line;
  context.lineWidth = ratio;
  context.strokeRect(left - ratio / 2, top - ratio / 2, width + ratio, height + ratio);
  context.fillStyle = theme.soft;
  context.font = `${11 * ratio}px ${theme.font}`;
  context.beginPath();
  const long = 4 * ratio;
  context.textAlign = "center";
  context.textBaseline = "top";
  for (const x of ticks(...range.x, width / ratio / 90)) {
    const at = toScreen.x(x);
    if (at < left || at > left + width) continue;
    context.moveTo(at, top + height);
    context.lineTo(at, top + height + long);
    const text = String(Number(x.toFixed(3)));
    const half = context.measureText(text).width / 2;
    const place = Math.min(at, context.canvas.width - half - ratio);
    context.fillText(text, place, top + height + long + 2 * ratio);
  }
  context.textAlign = "right";
  context.textBaseline = "middle";
  for (const y of ticks(...range.y, height / ratio / 70)) {
    const at = toScreen.y(y);
    if (at < top || at > top + height) continue;
    context.moveTo(left, at);
    context.lineTo(left - long, at);
    const place = Math.max(at, 6 * ratio);
    context.fillText(String(Number(y.toFixed(3))), left - long - 3 * ratio, place);
  }
  context.stroke();
}
