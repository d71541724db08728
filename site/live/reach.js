// @ts-check
// Reach: how far the gradient of the loss with respect to h_t reaches back, for a spectral radius of U.
"use strict";

(function (rnncells) {
  const { make, draw, picture, number } = rnncells;
  const ROWS = 28;
  const HIGH = 180;

  /** What experiments/live_weights.py wrote. @param {any} stored */
  const unpack = ({ units, kernel, orthogonal, score, unit }) => ({
    units,
    kernel: rnncells.numbers(kernel, unit),
    orthogonal: rnncells.numbers(orthogonal, unit),
    score: rnncells.numbers(score, unit),
  });

  /** The untrained cell, with U = radius * Q. @param {any} stored @param {number} radius */
  function untrained(stored, radius) {
    const { units, kernel, orthogonal } = stored;
    const weights = {
      kernel,
      recurrent_kernel: orthogonal.map((/** @type {number} */ q) => radius * q),
      bias: new Float64Array(units),
    };
    return {
      kind: "simple",
      units,
      weights,
      dense: { kernel: new Float64Array(units), bias: new Float64Array(1) },
    };
  }

  /** The norms of the gradient with respect to h_t, the last one's taken as 1, and that for each pixel.
   * @param {any} stored @param {number} radius @param {Float64Array[]} image */
  function reachOf(stored, radius, image) {
    const cell = untrained(stored, radius);
    const rows = rnncells.read(cell, image);
    const d_outputs = image.map((_, t) => (t === ROWS - 1 ? stored.score : undefined));
    const { d_h, d_x } = rnncells.pullBack(cell, rows, d_outputs);
    const last = Math.hypot(...d_h[ROWS - 1]);
    return { norms: d_h.map((/** @type {Float64Array} */ d) => Math.hypot(...d) / last), d_x };
  }

  /** @param {HTMLElement} element */
  function reach(element) {
    const stored = unpack(rnncells.untrained);
    const samples = rnncells.samplesToTake();
    let { image } = samples[7];
    let radius = 1;
    const y = (/** @type {number} */ power) => 24 + ((6 - power) / 21) * HIGH;
    const x = (/** @type {number} */ row) => 44 + row * 8;
    const curve = draw("path", { fill: "none", stroke: "var(--simple)", "stroke-width": 2.5 });
    const dots = Array.from({ length: ROWS }, () => draw("circle", { r: 2.5, fill: "var(--simple)" }));
    const graph = picture(
      272,
      HIGH + 60,
      draw("text", { x: 0, y: 12, "font-size": 13 }, "norm of the gradient for h, row by row"),
      ...rnncells.scale([6, 3, 0, -3, -6, -9, -12, -15], 36, y),
      draw("path", { d: `M40 ${y(0)}H${x(27) + 6}`, stroke: "var(--line)" }),
      draw("text", { x: x(0), y: HIGH + 44, "font-size": 12, "text-anchor": "middle" }, "row 0"),
      draw("text", { x: x(27), y: HIGH + 44, "font-size": 12, "text-anchor": "end" }, "row 27, the loss"),
      curve,
      ...dots,
    );
    const map = make("canvas", { width: 280, height: 280, "aria-hidden": "true" });
    const status = rnncells.status();
    const slider = rnncells.slider({
      name: "Spectral radius",
      min: 0.1,
      max: 2,
      step: 0.05,
      value: radius,
      say: (v) => number(v),
      change: (v) => {
        radius = v;
        update();
      },
    });

    function update() {
      const { norms, d_x } = reachOf(stored, radius, image);
      const places = norms.map((/** @type {number} */ norm, /** @type {number} */ row) => [
        x(row),
        y(Math.max(-15, Math.min(6, Math.log10(norm || 1e-99)))),
      ]);
      curve.setAttribute("d", `M${places.map((place) => place.join(" ")).join("L")}`);
      places.forEach(([a, b], row) => {
        dots[row].setAttribute("cx", a);
        dots[row].setAttribute("cy", b);
      });
      paint(d_x);
      status.say(
        `Spectral radius ${number(radius)}. The norm at row 27 is 1, at row 20 ${rnncells.rough(norms[20])}, at row 10 ${rnncells.rough(norms[10])}, at row 0 ${rnncells.rough(norms[0])}.`,
      );
    }
    /** @param {Float64Array[]} d_x */
    function paint(d_x) {
      const paper = map.getContext("2d");
      const style = getComputedStyle(element);
      paper.clearRect(0, 0, 280, 280);
      const most = Math.max(...d_x.map((row) => Math.max(...row.map(Math.abs)))) || 1;
      rnncells.showPixels(
        paper,
        d_x.map((row) => row.map((value) => Math.abs(value) / most)),
        280,
        style.getPropertyValue("--warm"),
      );
      rnncells.showPixels(
        paper,
        image.map((row) => row.map((value) => value / 3)),
        280,
        style.color,
      );
    }
    rnncells.whenThemeChanges(update);
    const choices = samples.map((/** @type {any} */ sample) =>
      make(
        "button",
        {
          type: "button",
          "aria-label": `Take a ${sample.label}`,
          onclick: () => {
            image = sample.image;
            update();
          },
        },
        String(sample.label),
      ),
    );
    element.replaceChildren(
      make(
        "div",
        { class: "panels two" },
        graph,
        make(
          "div",
          {},
          make("p", { class: "live-small" }, "the gradient for each pixel, over the digit"),
          map,
        ),
      ),
      slider.element,
      make("div", { class: "live-controls", role: "group", "aria-label": "A digit" }, ...choices),
      status.element,
    );
    update();
  }

  rnncells.live("reach", reach);
})(/** @type {any} */ (globalThis).rnncells);
