// @ts-check
// From a finger to a picture: strokes become ink, and ink is centred as MNIST's pictures are.
"use strict";

(function (rnncells) {
  const SIDE = 28; // pixels of a picture
  const BOX = 20; // pixels of a digit's larger side
  const SHEET = 140; // pixels of the ink that strokes are drawn with
  const PEN = 0.105; // the pen's width, as a share of the drawing's larger side

  /** @typedef {{ x: number, y: number }} Point */

  /** Which of `count` pixels fall into each of 28, and how much of them.
   * @param {number} count @param {number} scale @param {number} middle
   * @returns {number[][][]} for each of 28 pairs of a pixel and its share */
  function shares(count, scale, middle) {
    const edge = (/** @type {number} */ k) => SIDE / 2 + (k - middle) * scale;
    return Array.from({ length: SIDE }, (_, pixel) => {
      const pairs = [];
      for (let k = 0; k < count; k++) {
        const share = Math.min(edge(k + 1), pixel + 1) - Math.max(edge(k), pixel);
        if (share > 0) pairs.push([k, share]);
      }
      return pairs;
    });
  }

  /** Ink (height rows of width numbers, 0 to 1) as a picture: in a box of 20, its mass centred.
   * @param {ArrayLike<number>[]} ink @returns {Float64Array[]} 28 rows of 28 */
  function centred(ink) {
    const rowSums = ink.map((row) => Array.from(row).reduce((sum, value) => sum + value, 0));
    const columnSums = Array.from(ink[0], (_, k) => ink.reduce((sum, row) => sum + row[k], 0));
    const down = extent(rowSums);
    const right = extent(columnSums);
    const picture = Array.from({ length: SIDE }, () => new Float64Array(SIDE));
    if (!down || !right) return picture;
    const scale = BOX / Math.max(down.count, right.count);
    const rows = shares(down.count, scale, down.middle);
    const columns = shares(right.count, scale, right.middle);
    // First the columns, then the rows: (28, height) times ink times (width, 28).
    const narrow = Array.from({ length: down.count }, (_, r) =>
      columns.map((pairs) => weighed(pairs, (k) => ink[down.start + r][right.start + k])),
    );
    return picture.map((row, r) => row.map((_, c) => weighed(rows[r], (k) => narrow[k][c])));
  }

  /** Where the ink begins, how far it goes, and the middle of its mass.
   * @param {number[]} sums */
  function extent(sums) {
    const start = sums.findIndex((value) => value > 0);
    if (start < 0) return undefined;
    const count = sums.findLastIndex((value) => value > 0) + 1 - start;
    const inside = sums.slice(start, start + count);
    const middle = sum(inside, (value, k) => value * (k + 0.5)) / sum(inside, (value) => value);
    return { start, count, middle };
  }

  /** @param {number[]} values @param {(value: number, k: number) => number} f */
  const sum = (values, f) => values.reduce((total, value, k) => (value ? total + f(value, k) : total), 0);

  /** @param {number[][]} pairs @param {(k: number) => number} value */
  const weighed = (pairs, value) => pairs.reduce((total, [k, share]) => total + share * value(k), 0);

  /** Strokes, each a list of points, as ink: the pen is as wide as suits the drawing's size.
   * @param {Point[][]} strokes @returns {Float64Array[]} */
  function inked(strokes) {
    const points = strokes.flat();
    const ink = Array.from({ length: SHEET }, () => new Float64Array(SHEET));
    if (!points.length) return ink;
    const [left, right] = range(points.map(({ x }) => x));
    const [top, bottom] = range(points.map(({ y }) => y));
    const pen = PEN * SHEET;
    const size = Math.max(right - left, bottom - top);
    const scale = size ? (SHEET - pen - 2) / size : 1;
    const place = (/** @type {Point} */ { x, y }) => ({
      x: (x - left) * scale + pen / 2 + 1,
      y: (y - top) * scale + pen / 2 + 1,
    });
    for (const stroke of strokes) {
      const placed = stroke.map(place);
      placed.forEach((end, k) => line(ink, placed[k - 1] ?? end, end, pen / 2));
    }
    return ink;
  }

  /** @param {number[]} values */
  const range = (values) => [Math.min(...values), Math.max(...values)];

  /** A line with round ends; its edge is one pixel soft.
   * @param {Float64Array[]} ink @param {Point} a @param {Point} b @param {number} radius */
  function line(ink, a, b, radius) {
    const reach = radius + 1;
    const last = SHEET - 1;
    for (
      let r = Math.max(0, Math.floor(Math.min(a.y, b.y) - reach));
      r <= Math.min(last, Math.max(a.y, b.y) + reach);
      r++
    ) {
      for (
        let c = Math.max(0, Math.floor(Math.min(a.x, b.x) - reach));
        c <= Math.min(last, Math.max(a.x, b.x) + reach);
        c++
      ) {
        const covered = radius + 0.5 - distance({ x: c + 0.5, y: r + 0.5 }, a, b);
        ink[r][c] = Math.max(ink[r][c], Math.min(1, Math.max(0, covered)));
      }
    }
  }

  /** From a point to the nearest of a line's. @param {Point} p @param {Point} a @param {Point} b */
  function distance(p, a, b) {
    const [dx, dy] = [b.x - a.x, b.y - a.y];
    const length = dx * dx + dy * dy;
    const along = length ? Math.min(1, Math.max(0, ((p.x - a.x) * dx + (p.y - a.y) * dy) / length)) : 0;
    return Math.hypot(p.x - a.x - along * dx, p.y - a.y - along * dy);
  }

  Object.assign(rnncells, { centred, inked });
  if (typeof module === "object") module.exports = rnncells;
})(/** @type {any} */ (/** @type {any} */ ((globalThis.rnncells ??= {}))));
