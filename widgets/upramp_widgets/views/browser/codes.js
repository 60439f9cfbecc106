// From codes to colours. The kernel sends 16-bit codes (core/render_codes.py); stretch and
// colormap are one table of 65536 colours, so that a change of either asks no kernel.

const HALF = 32767;
const ONE = 0x3f800000;
const LOG = 1000;
const ASINH = 10;

const bits = new Int32Array(1);
const float = new Float32Array(bits.buffer);
const decoded = new Map();

/** Give the value of each code; code 0 is NaN. */
export function decodeTable(centre, scale, top) {
  const key = `${centre}/${scale}/${top}`;
  let table = decoded.get(key);
  if (table) return table;
  table = new Float32Array(65536);
  table[0] = NaN;
  for (let at = 1; at < 65536; at++) {
    const signed = at - 32768;
    bits[0] = Math.round((Math.abs(signed) * top) / HALF) + ONE;
    table[at] = centre + Math.sign(signed) * (float[0] - 1) * scale;
  }
  if (decoded.size > 32) decoded.delete(decoded.keys().next().value);
  decoded.set(key, table);
  return table;
}

/** Give a function that brings a value between the limits to 0 to 1, as core/stretch.py does. */
export function stretchOf(name, low, high, quantiles) {
  if (!(low < high)) return (value) => (value >= high ? 1 : 0);
  const share = (value) => Math.min(1, Math.max(0, (value - low) / (high - low)));
  if (name === "sqrt") return (value) => Math.sqrt(share(value));
  if (name === "log") return (value) => Math.log1p(LOG * share(value)) / Math.log1p(LOG);
  if (name === "asinh") return (value) => Math.asinh(ASINH * share(value)) / Math.asinh(ASINH);
  if (name === "equalised" && quantiles && quantiles.length > 1) {
    const below = rankOf(low, quantiles);
    const above = rankOf(high, quantiles);
    if (below < above) {
      return (value) =>
        (rankOf(Math.min(high, Math.max(low, value)), quantiles) - below) / (above - below);
    }
  }
  return share;
}

/** Give the share of values below one, from evenly spaced quantiles. */
export function rankOf(value, quantiles) {
  const last = quantiles.length - 1;
  if (value < quantiles[0]) return 0;
  if (value >= quantiles[last]) return 1;
  let low = 0;
  let high = last;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (quantiles[middle] <= value) low = middle;
    else high = middle;
  }
  const step = quantiles[high] - quantiles[low];
  return (low + (step > 0 ? (value - quantiles[low]) / step : 0)) / last;
}

/** Give the value below which a share of all lies. */
export function quantileAt(share, quantiles) {
  const at = share * (quantiles.length - 1);
  const low = Math.floor(at);
  const high = Math.min(quantiles.length - 1, low + 1);
  return quantiles[low] + (at - low) * (quantiles[high] - quantiles[low]);
}

/** Give 256 colours as ImageData holds them, from a colormap's name and its few colours. */
export function colourTable(name, nodes) {
  const reversed = name.endsWith("_r");
  const listed = nodes[reversed ? name.slice(0, -2) : name].split(" ").map(rgbOf);
  const table = new Uint32Array(256);
  for (let at = 0; at < 256; at++) {
    const place = ((reversed ? 255 - at : at) / 255) * (listed.length - 1);
    const low = Math.min(listed.length - 2, Math.floor(place));
    const part = place - low;
    const mixed = listed[low].map((c, i) => Math.round(c + part * (listed[low + 1][i] - c)));
    table[at] = packed(mixed, 255);
  }
  return table;
}

/** Give the colour of each code. NaN is transparent: the ground shows through. */
export function pixelTable(tile, limits, stretch, quantiles, colours) {
  const values = decodeTable(tile.centre, tile.scale, tile.top);
  const toShare = stretchOf(stretch, limits[0], limits[1], quantiles);
  const table = new Uint32Array(65536);
  // Values grow with codes: outside of the limits there is nothing to compute.
  const first = firstAbove(values, limits[0]);
  const last = firstAbove(values, limits[1]);
  table.fill(colours[0], 1, first);
  for (let at = first; at < last; at++) table[at] = colours[(toShare(values[at]) * 255.999) | 0];
  table.fill(colours[255], last);
  if (!(limits[0] < limits[1])) {
    for (let at = 1; at < 65536; at++) table[at] = colours[values[at] >= limits[1] ? 255 : 0];
  }
  return table;
}

function firstAbove(values, limit) {
  let low = 1;
  let high = 65536;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (values[middle] > limit) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** Read #rrggbb or rrggbb. */
export function rgbOf(text) {
  const number = parseInt(text.replace("#", ""), 16);
  return [(number >> 16) & 255, (number >> 8) & 255, number & 255];
}

/** Pack a colour as a little-endian word of ImageData. */
export function packed([r, g, b], alpha) {
  return ((alpha << 24) | (b << 16) | (g << 8) | r) >>> 0;
}
