// What test_live.py asks of the mathematics, the same in Node and in the browser.
"use strict";

/** The largest difference of each array from what Python computed.
 * @param {any} rnncells the module, or a mutant of it
 * @param {any} cell @param {number} count of pictures
 * @param {Float64Array} given pictures, d_outputs, d_states
 * @param {Float64Array} expected what Python has for every name in turn */
function compare(rnncells, cell, count, given, expected) {
  const { units, kind } = cell;
  const { states, gates } = rnncells.cells[kind];
  const d_outputs_at = count * 28 * 28;
  const d_states_at = d_outputs_at + count * 28 * units;
  const found = {};
  let place = 0;
  const put = (name, values, expectedAt) => {
    let largest = found[name] ?? 0;
    for (let k = 0; k < values.length; k++) {
      const difference = Math.abs(values[k] - expected[expectedAt + k]);
      if (!(difference <= largest)) largest = difference; // NaN, too
    }
    found[name] = largest;
  };
  const d_weights = {};
  const arrays = []; // name, size for a picture, and how to get it
  for (const name of states) arrays.push([name, 28 * units, (r) => r.rows.map((row) => row.states[name])]);
  for (const name of gates) arrays.push([name, 28 * units, (r) => r.rows.map((row) => row.gates[name])]);
  arrays.push(["scores", 280, (r) => r.rows.map((row) => row.scores)]);
  arrays.push(["d_x", 784, (r) => r.back.d_x]);
  states.forEach((name, k) => arrays.push([`d_${name}`, units, (r) => [r.back.d_states[k]]]));
  for (let n = 0; n < count; n++) {
    const part = (at, size, k) => given.subarray(at + k * size, at + (k + 1) * size);
    const picture = Array.from({ length: 28 }, (_, t) => part(0, 28, n * 28 + t));
    const d_outputs = Array.from({ length: 28 }, (_, t) => part(d_outputs_at, units, n * 28 + t));
    const d_states = states.map((_, k) => part(d_states_at, units, k * count + n));
    const rows = rnncells.read(cell, picture);
    const back = rnncells.pullBack(cell, rows, d_outputs, d_states);
    place = 0;
    for (const [name, size, get] of arrays) {
      const values = get({ rows, back });
      const each = size / values.length;
      values.forEach((value, k) => put(name, value, place + n * size + k * each));
      place += count * size;
    }
    for (const [name, values] of Object.entries(back.d_weights)) {
      d_weights[name] ??= new Float64Array(values.length);
      values.forEach((value, k) => (d_weights[name][k] += value));
    }
  }
  for (const [name, values] of Object.entries(d_weights)) {
    put(`d_${name}`, values, place);
    place += values.length;
  }
  if (place !== expected.length) throw new Error(`${expected.length} numbers came, ${place} were compared`);
  return found;
}

if (typeof module === "object") module.exports = { compare };
