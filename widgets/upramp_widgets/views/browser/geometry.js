// Where things are: from pixels of the detector to dots of the screen and back.
// The centre of a pixel lies at whole numbers; row 0 is at the bottom.

/** Give the range that a plot of some size shows so that it holds xlim and ylim. */
export function holding(xlim, ylim, width, height) {
  const perDot = Math.max((xlim[1] - xlim[0]) / width, (ylim[1] - ylim[0]) / height);
  const x = (xlim[0] + xlim[1]) / 2;
  const y = (ylim[0] + ylim[1]) / 2;
  const [halfX, halfY] = [(perDot * width) / 2, (perDot * height) / 2];
  return { x: [x - halfX, x + halfX], y: [y - halfY, y + halfY], perDot };
}

/** Give the side of a cell that such a canvas can show; as core/render.py Viewport.factor. */
export function factorFor(part, perDot) {
  const side = part === "image" ? Math.floor(perDot + 0.5) : Math.ceil(perDot - 0.02);
  return Math.max(1, side);
}

/** Say whether a tile holds all of the detector that is seen. */
export function covers(tile, range, shape) {
  const [ny, nx] = shape;
  const left = Math.max(range.x[0] + 0.5, 0);
  const right = Math.min(range.x[1] + 0.5, nx);
  const low = Math.max(range.y[0] + 0.5, 0);
  const high = Math.min(range.y[1] + 0.5, ny);
  if (left >= right || low >= high) return true;
  const x1 = Math.min(nx, tile.x0 + tile.width * tile.factor);
  const y1 = Math.min(ny, tile.y0 + tile.height * tile.factor);
  return tile.x0 <= left && x1 >= right && tile.y0 <= low && y1 >= high;
}

/** Move a range so that what is under a place stays there while it is zoomed. */
export function zoomed(range, factor, x, y) {
  const about = (ends, at) => ends.map((end) => at + (end - at) * factor);
  return { x: about(range.x, x), y: about(range.y, y) };
}

/** Keep a range near the detector and its width sensible. */
export function kept(range, shape) {
  const [ny, nx] = shape;
  const wide = range.x[1] - range.x[0];
  const tall = range.y[1] - range.y[0];
  const most = 3 * Math.max(nx, ny, 8);
  const least = 3;
  let factor = 1;
  if (Math.min(wide, tall) > most) factor = most / Math.min(wide, tall);
  if (Math.max(wide, tall) < least) factor = least / Math.max(wide, tall);
  const inside = (ends, size) => {
    const middle = (ends[0] + ends[1]) / 2;
    const half = ((ends[1] - ends[0]) / 2) * factor;
    const at = Math.min(size - 0.5, Math.max(-0.5, middle));
    return [at - half, at + half];
  };
  return { x: inside(range.x, nx), y: inside(range.y, ny) };
}

/** Give round numbers between two ends, about as many as asked for. */
export function ticks(low, high, count) {
  if (!(high > low) || !Number.isFinite(high - low)) return [];
  const rough = (high - low) / Math.max(1, count);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 5, 10].find((m) => m * power >= rough * 0.999);
  const found = [];
  for (let n = Math.ceil(low / step - 1e-9); n * step <= high + step * 1e-9; n++) {
    found.push(n * step);
  }
  return found;
}

/** Write a number in few characters. */
export function brief(value, digits = 4) {
  if (value === null || value === undefined) return "";
  if (!Number.isFinite(value)) return Number.isNaN(value) ? "NaN" : value > 0 ? "∞" : "−∞";
  const size = Math.abs(value);
  if (size !== 0 && (size >= 1e6 || size < 1e-3)) {
    const [mantissa, power] = value.toExponential(digits - 2).split("e");
    return `${Number(mantissa)}e${Number(power)}`.replace("-", "−");
  }
  return String(Number(value.toPrecision(digits))).replace("-", "−");
}

/** Give the whole pixels on the way from one to another, without the first. */
export function stepsBetween(from, to) {
  const [dx, dy] = [to[0] - from[0], to[1] - from[1]];
  const count = Math.max(Math.abs(dx), Math.abs(dy));
  const found = [];
  for (let i = 1; i <= count; i++) {
    found.push([Math.round(from[0] + (dx * i) / count), Math.round(from[1] + (dy * i) / count)]);
  }
  return found;
}

/** Give the rows of a disc of pixels: [dy, half width] where dx² + dy² <= radius². */
export function discRows(radius) {
  const rows = [];
  for (let dy = -Math.floor(radius); dy <= radius; dy++) {
    rows.push([dy, Math.floor(Math.sqrt(radius * radius - dy * dy))]);
  }
  return rows;
}
