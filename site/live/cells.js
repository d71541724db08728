// @ts-check
// The mathematics: a step of each cell, forward and backward, and a whole picture read by it.
// The same sums as in rnncells/reference.py, in the same letters; every number is a float64.
// A page loads this file as a script, and Node with require("./cells.js").
//
//   const cell = rnncells.unpack(rnncells.weights.lstm);
//   const rows = rnncells.read(cell, picture);           // picture: 28 rows of 28 numbers, 0 to 1
//   rows[14].states.c, rows[14].gates.f, rows[14].scores // after row 14
//   const { d_x, d_states, d_weights } = rnncells.pullBack(cell, rows, d_outputs, d_states);
//
// Shapes: x (features); h, c and the gates (units); kernel (features, gates * units) and
// recurrent_kernel (units, gates * units), row after row in one array; bias (gates * units), of the
// GRU (2, 3 * units). d_name is the derivative of the loss for `name`, and has its shape.
"use strict";

(function (rnncells) {
  /** @typedef {Float64Array | number[]} Vector */
  /** @typedef {{ kernel: Vector, recurrent_kernel: Vector, bias: Vector }} Weights */
  /** @typedef {{ [gate: string]: number }} Held a gate that is held, and at what */
  /** @typedef {{ [name: string]: Float64Array }} Named */
  /** @typedef {{ states: Float64Array[], gates: Named, saved: { [name: string]: Vector } }} Step */

  /** @param {Vector} x @param {Vector} matrix @param {number} columns */
  function times(x, matrix, columns) {
    const y = new Float64Array(columns);
    for (let row = 0; row < x.length; row++) {
      if (x[row] === 0) continue; // much of a picture is empty
      const start = row * columns;
      for (let k = 0; k < columns; k++) y[k] += x[row] * matrix[start + k];
    }
    return y;
  }

  /** The product with the matrix's transpose. @param {Vector} y @param {Vector} matrix */
  function timesBack(y, matrix) {
    const columns = y.length;
    const x = new Float64Array(matrix.length / columns);
    for (let row = 0; row < x.length; row++) {
      let sum = 0;
      for (let k = 0; k < columns; k++) sum += y[k] * matrix[row * columns + k];
      x[row] = sum;
    }
    return x;
  }

  /** Adds the outer product of x and y. @param {Vector} total @param {Vector} x @param {Vector} y */
  function addOuter(total, x, y) {
    for (let row = 0; row < x.length; row++) {
      if (x[row] === 0) continue;
      const start = row * y.length;
      for (let k = 0; k < y.length; k++) total[start + k] += x[row] * y[k];
    }
  }

  /** @param {Vector} total @param {Vector} part @param {number} [start] */
  function add(total, part, start = 0) {
    for (let k = 0; k < part.length; k++) total[start + k] += part[k];
    return total;
  }

  /** @param {number} a */
  const sigmoid = (a) => 0.5 * (1 + Math.tanh(0.5 * a));

  /** An array of `length` numbers, each from its place. @param {number} length @param {(k: number) => number} f */
  function each(length, f) {
    const y = new Float64Array(length);
    for (let k = 0; k < length; k++) y[k] = f(k);
    return y;
  }

  /** The array, or what it is held at. @param {Float64Array} gate @param {number | undefined} held */
  const heldAt = (gate, held) => (held === undefined ? gate : gate.fill(held));

  /** @param {...Float64Array} parts */
  function joined(...parts) {
    const whole = new Float64Array(parts.length * parts[0].length);
    parts.forEach((part, k) => whole.set(part, k * part.length));
    return whole;
  }

  // h = tanh(x W + h U + b)

  const simple = {
    states: ["h"],
    gates: /** @type {string[]} */ ([]),

    /** @param {Vector} x @param {Float64Array[]} states @param {Weights} weights @returns {Step} */
    step(x, [h], { kernel, recurrent_kernel, bias }) {
      const a = add(add(times(x, kernel, bias.length), times(h, recurrent_kernel, bias.length)), bias);
      const new_h = each(h.length, (k) => Math.tanh(a[k]));
      return { states: [new_h], gates: {}, saved: { x, h, new_h } };
    },

    /** @param {Float64Array[]} d_states @param {any} saved @param {Weights} weights @param {Weights} d_weights */
    stepBack([d_h], { x, h, new_h }, { kernel, recurrent_kernel }, d_weights) {
      const d_a = each(h.length, (k) => d_h[k] * (1 - new_h[k] ** 2)); // tanh' = 1 - tanh^2
      addAffine(d_weights, x, h, d_a);
      return { d_x: timesBack(d_a, kernel), d_states: [timesBack(d_a, recurrent_kernel)] };
    },
  };

  // i, f, g, o = x W + h U + b;  c = sigmoid(f) c + sigmoid(i) tanh(g);  h = sigmoid(o) tanh(c)

  const lstm = {
    states: ["h", "c"],
    gates: ["i", "f", "g", "o"],

    /** @param {Vector} x @param {Float64Array[]} states @param {Weights} weights @param {Held} [held] @returns {Step} */
    step(x, [h, c], { kernel, recurrent_kernel, bias }, held = {}) {
      const n = h.length;
      const a = add(add(times(x, kernel, 4 * n), times(h, recurrent_kernel, 4 * n)), bias);
      const i = heldAt(
        each(n, (k) => sigmoid(a[k])),
        held.i,
      );
      const f = heldAt(
        each(n, (k) => sigmoid(a[n + k])),
        held.f,
      );
      const g = each(n, (k) => Math.tanh(a[2 * n + k]));
      const o = heldAt(
        each(n, (k) => sigmoid(a[3 * n + k])),
        held.o,
      );
      const new_c = each(n, (k) => f[k] * c[k] + i[k] * g[k]);
      const new_h = each(n, (k) => o[k] * Math.tanh(new_c[k]));
      return { states: [new_h, new_c], gates: { i, f, g, o }, saved: { x, h, c, i, f, g, o, new_c } };
    },

    /** @param {Float64Array[]} d_states @param {any} saved @param {Weights} weights @param {Weights} d_weights */
    stepBack([d_h, d_c_after], { x, h, c, i, f, g, o, new_c }, { kernel, recurrent_kernel }, d_weights) {
      const n = h.length;
      // h sees c through the output gate
      const d_c = each(n, (k) => d_c_after[k] + d_h[k] * o[k] * (1 - Math.tanh(new_c[k]) ** 2));
      const d_i = each(n, (k) => d_c[k] * g[k] * i[k] * (1 - i[k])); // sigmoid' = sigmoid (1 - sigmoid)
      const d_f = each(n, (k) => d_c[k] * c[k] * f[k] * (1 - f[k]));
      const d_g = each(n, (k) => d_c[k] * i[k] * (1 - g[k] ** 2));
      const d_o = each(n, (k) => d_h[k] * Math.tanh(new_c[k]) * o[k] * (1 - o[k]));
      const d_a = joined(d_i, d_f, d_g, d_o);
      addAffine(d_weights, x, h, d_a);
      const d_first = [timesBack(d_a, recurrent_kernel), each(n, (k) => d_c[k] * f[k])];
      return { d_x: timesBack(d_a, kernel), d_states: d_first };
    },
  };

  // z and r gates; g = tanh(x W_g + b_g + r (h U_g + d_g));  h = z h + (1 - z) g  (reset_after)

  const gru = {
    states: ["h"],
    gates: ["z", "r", "g"],

    /** @param {Vector} x @param {Float64Array[]} states @param {Weights} weights @param {Held} [held] @returns {Step} */
    step(x, [h], { kernel, recurrent_kernel, bias }, held = {}) {
      const n = h.length;
      const from_x = add(times(x, kernel, 3 * n), bias.slice(0, 3 * n));
      const from_h = add(times(h, recurrent_kernel, 3 * n), bias.slice(3 * n));
      const z = heldAt(
        each(n, (k) => sigmoid(from_x[k] + from_h[k])),
        held.z,
      );
      const r = heldAt(
        each(n, (k) => sigmoid(from_x[n + k] + from_h[n + k])),
        held.r,
      );
      const hg = from_h.slice(2 * n);
      const g = each(n, (k) => Math.tanh(from_x[2 * n + k] + r[k] * hg[k]));
      const new_h = each(n, (k) => z[k] * h[k] + (1 - z[k]) * g[k]);
      return { states: [new_h], gates: { z, r, g }, saved: { x, h, z, r, g, hg } };
    },

    /** @param {Float64Array[]} d_states @param {any} saved @param {Weights} weights @param {Weights} d_weights */
    stepBack([d_h], { x, h, z, r, g, hg }, { kernel, recurrent_kernel }, d_weights) {
      const n = h.length;
      const d_z = each(n, (k) => d_h[k] * (h[k] - g[k]) * z[k] * (1 - z[k]));
      const d_g = each(n, (k) => d_h[k] * (1 - z[k]) * (1 - g[k] ** 2));
      const d_r = each(n, (k) => d_g[k] * hg[k] * r[k] * (1 - r[k]));
      const d_from_x = joined(d_z, d_r, d_g);
      const d_from_h = joined(
        d_z,
        d_r,
        each(n, (k) => d_g[k] * r[k]),
      ); // g sees h through r
      addOuter(d_weights.kernel, x, d_from_x);
      addOuter(d_weights.recurrent_kernel, h, d_from_h);
      add(d_weights.bias, d_from_x);
      add(d_weights.bias, d_from_h, 3 * n);
      const d_first = timesBack(d_from_h, recurrent_kernel);
      return {
        d_x: timesBack(d_from_x, kernel),
        d_states: [
          add(
            d_first,
            each(n, (k) => d_h[k] * z[k]),
          ),
        ],
      };
    },
  };

  /** What x W + h U + b gives its weights. @param {Weights} d_weights @param {Vector} x @param {Vector} h @param {Vector} d_a */
  function addAffine(d_weights, x, h, d_a) {
    addOuter(d_weights.kernel, x, d_a);
    addOuter(d_weights.recurrent_kernel, h, d_a);
    add(d_weights.bias, d_a);
  }

  const cells = { simple, lstm, gru };

  // A whole picture.

  /** @typedef {{ kind: "simple" | "lstm" | "gru", units: number, weights: Weights,
   *   dense: { kernel: Vector, bias: Vector } }} Cell */
  /** @typedef {{ states: Named, gates: Named, scores: Float64Array, saved: any }} Row */
  /** @typedef {{ held?: Held, forgetAt?: number }} Meddling a gate held; all states zero before a row */

  /** Reads a picture from the top row down.
   * @param {Cell} cell @param {Vector[]} picture @param {Meddling} [meddling] @returns {Row[]} */
  function read(cell, picture, { held = {}, forgetAt = -1 } = {}) {
    const kind = cells[cell.kind];
    const zeros = () => kind.states.map(() => new Float64Array(cell.units));
    let states = zeros();
    return picture.map((x, row) => {
      if (row === forgetAt) states = zeros();
      const step = kind.step(x, states, cell.weights, held);
      states = step.states;
      const named = Object.fromEntries(kind.states.map((name, k) => [name, states[k]]));
      return { states: named, gates: step.gates, scores: score(cell, states[0]), saved: step.saved };
    });
  }

  /** The ten scores of a state: h kernel + bias. @param {Cell} cell @param {Vector} h */
  function score({ dense }, h) {
    return add(times(h, dense.kernel, dense.bias.length), dense.bias);
  }

  /** From the last row to the first: the derivatives for the picture, the first states, the weights.
   * @param {Cell} cell
   * @param {Row[]} rows what read returned
   * @param {(Vector | undefined)[]} d_outputs for each row's h; undefined where the loss does not see it
   * @param {Vector[]} [d_states] for the final states
   * @returns {{ d_x: Float64Array[], d_states: Float64Array[], d_weights: Weights, d_h: Float64Array[] }} */
  function pullBack(cell, rows, d_outputs, d_states) {
    const kind = cells[cell.kind];
    const { kernel, recurrent_kernel, bias } = cell.weights;
    const empty = (/** @type {Vector} */ like) => new Float64Array(like.length);
    const d_weights = { kernel: empty(kernel), recurrent_kernel: empty(recurrent_kernel), bias: empty(bias) };
    let d = kind.states.map((_, k) => Float64Array.from(d_states?.[k] ?? new Float64Array(cell.units)));
    const d_x = new Array(rows.length);
    const d_h = new Array(rows.length);
    for (let t = rows.length - 1; t >= 0; t--) {
      add(d[0], d_outputs[t] ?? []); // the step after this one read h, and so did the loss
      d_h[t] = d[0];
      const step = kind.stepBack(/** @type {any} */ (d), rows[t].saved, cell.weights, d_weights);
      d_x[t] = step.d_x;
      d = step.d_states;
    }
    return { d_x, d_states: d, d_weights, d_h };
  }

  /** The shares that ten scores stand for; they sum to 1. @param {Vector} scores */
  function softmax(scores) {
    const largest = Math.max(...scores);
    const powers = Array.from(scores, (score) => Math.exp(score - largest));
    const sum = powers.reduce((total, power) => total + power, 0);
    return powers.map((power) => power / sum);
  }

  // What experiments/live_weights.py wrote: whole numbers of 16 bits, in units of 1 / unit.

  /** @param {string} text @returns {Uint8Array} */
  const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));

  /** @param {string} text @param {number} unit */
  function numbers(text, unit) {
    const view = new DataView(bytes(text).buffer);
    return each(view.byteLength / 2, (k) => view.getInt16(2 * k, true) / unit);
  }

  /** @param {any} stored one of rnncells.weights @returns {any} */
  function unpack(stored) {
    const { cell: kind, units, unit, accuracy, centres, axes = "", middle = "" } = stored;
    const [kernel, recurrent_kernel, bias, out, out_bias] = stored.weights.map((/** @type {string} */ text) =>
      numbers(text, unit),
    );
    return {
      kind,
      units,
      accuracy,
      centres,
      weights: { kernel, recurrent_kernel, bias },
      dense: { kernel: out, bias: out_bias },
      axes: numbers(axes, unit),
      middle: numbers(middle, unit),
    };
  }

  Object.assign(rnncells, { cells, read, pullBack, softmax, unpack, bytes, numbers });
  if (typeof module === "object") module.exports = rnncells;
})(/** @type {any} */ (/** @type {any} */ ((globalThis.rnncells ??= {}))));
