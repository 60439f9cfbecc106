// Tiles: pooled pixels of a part of the detector, and the canvases they are painted on.

import { packed, rgbOf } from "./codes.js";

const COVER = 200; // how opaque flags are, of 255

/** Read a tile out of a message's buffer. */
export function tileFrom(header, view) {
  const kind = { 1: Uint8Array, 2: Uint16Array, 4: Uint32Array }[header.bytes];
  const count = header.width * header.height;
  const aligned = view.byteOffset % header.bytes === 0;
  const cells = aligned
    ? new kind(view.buffer, view.byteOffset, count)
    : new kind(view.buffer.slice(view.byteOffset, view.byteOffset + count * header.bytes));
  return { ...header, cells, canvas: null, painted: null };
}

function surface(tile) {
  if (!tile.canvas) {
    tile.canvas = document.createElement("canvas");
    tile.canvas.width = tile.width;
    tile.canvas.height = tile.height;
    tile.context = tile.canvas.getContext("2d");
    tile.pixels = tile.context.createImageData(tile.width, tile.height);
    tile.words = new Uint32Array(tile.pixels.data.buffer);
  }
  return tile.words;
}

function done(tile, key) {
  tile.context.putImageData(tile.pixels, 0, 0);
  tile.painted = key;
}

/** Paint science; `table` gives the colour of each code and is made only if needed. */
export function paintImage(tile, key, table) {
  if (tile.painted === key) return;
  const words = surface(tile);
  const colours = table(tile);
  const { cells } = tile;
  for (let at = 0; at < cells.length; at++) words[at] = colours[cells[at]];
  done(tile, key);
}

/** Paint what lies above a threshold, given in steps of the codes. */
export function paintAbove(tile, steps, colour) {
  const key = `${steps}/${colour}`;
  if (tile.painted === key) return;
  const words = surface(tile);
  const word = packed(rgbOf(colour), COVER);
  const { cells } = tile;
  for (let at = 0; at < cells.length; at++) words[at] = cells[at] > steps ? word : 0;
  done(tile, key);
}

/** Paint masks; `colours` has one for each bit, null where it is hidden. */
export function paintMasks(tile, colours) {
  const key = colours.join();
  if (tile.painted === key) return;
  const words = surface(tile);
  const { cells } = tile;
  const shown = colours.map((colour, bit) => [bit, colour]).filter(([, colour]) => colour);
  const listed = shown.map(([bit, colour]) => [2 ** bit, packed(rgbOf(colour), COVER)]);
  // Of several flags the one with the fewest others hidden under it is unknown: the last wins.
  const colourOf = (flags) => {
    let found = 0;
    for (const [bit, word] of listed) if (Math.floor(flags / bit) % 2) found = word;
    return found;
  };
  if (tile.bytes === 4) {
    const known = new Map();
    for (let at = 0; at < cells.length; at++) {
      const flags = cells[at];
      if (flags === 0) {
        words[at] = 0;
        continue;
      }
      if (!known.has(flags)) known.set(flags, colourOf(flags));
      words[at] = known.get(flags);
    }
  } else {
    const table = new Uint32Array(tile.bytes === 1 ? 256 : 65536);
    for (let flags = 1; flags < table.length; flags++) table[flags] = colourOf(flags);
    for (let at = 0; at < cells.length; at++) words[at] = table[cells[at]];
  }
  done(tile, key);
}

/** Give a tile of flags or significance with larger cells, so that none is smaller than a dot. */
export function coarser(tile, by) {
  if (by <= 1) return tile;
  if (tile.coarse?.by === by) return tile.coarse;
  const width = Math.ceil(tile.width / by);
  const height = Math.ceil(tile.height / by);
  const cells = new tile.cells.constructor(width * height);
  const largest = tile.part === "significance";
  for (let y = 0, from = 0; y < tile.height; y++) {
    const row = Math.floor(y / by) * width;
    for (let x = 0; x < tile.width; x++, from++) {
      const to = row + Math.floor(x / by);
      if (!largest) cells[to] |= tile.cells[from];
      else if (tile.cells[from] > cells[to]) cells[to] = tile.cells[from];
    }
  }
  const factor = tile.factor * by;
  tile.coarse = { ...tile, by, width, height, factor, cells, canvas: null, painted: null };
  return tile.coarse;
}

/** Give the cell of a tile that holds a pixel, or undefined outside. */
export function cellAt(tile, x, y) {
  const column = Math.floor((x - tile.x0) / tile.factor);
  const row = Math.floor((y - tile.y0) / tile.factor);
  if (column < 0 || row < 0 || column >= tile.width || row >= tile.height) return undefined;
  return tile.cells[row * tile.width + column];
}
