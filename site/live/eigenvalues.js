// @ts-check
// Eigenvalues: drag a pair, and watch a state spiral in, stay or fly off, and what is left of each row.
"use strict";

(function (rnncells) {
  const { make, draw, picture, number } = rnncells;
  const STEPS = 28;
  const SIDE = 200; // of each panel
  const MOST = 1.25; // the largest radius

  /** The matrix with the eigenvalues radius * exp(± i angle). @param {number} radius @param {number} angle */
  const matrix = (radius, angle) => [
    [radius * Math.cos(angle), radius * Math.sin(angle)],
    [-radius * Math.sin(angle), radius * Math.cos(angle)],
  ];

  /** The states h U, h U U, and so on, the first one with them. @param {number[][]} U @param {number} steps */
  function orbit(U, steps) {
    const states = [[1, 0]];
    for (let t = 1; t < steps; t++) {
      const [a, b] = states[t - 1];
      states.push([a * U[0][0] + b * U[1][0], a * U[0][1] + b * U[1][1]]);
    }
    return states;
  }

  /** @param {HTMLElement} element */
  function eigenvalues(element) {
    let radius = 0.9;
    let angle = 40 / 180; // of a half turn
    const middle = SIDE / 2;
    const unit = middle / 1.35;
    const arm = draw("path", { stroke: "var(--line)", fill: "none" });
    const [one, other] = [0, 1].map(() =>
      draw("circle", { r: 9, fill: "var(--warm)", style: "cursor: grab" }),
    );
    const plane = picture(
      SIDE,
      SIDE + 20,
      draw("text", { x: 0, y: 12, "font-size": 13 }, "two eigenvalues"),
      draw("path", {
        d: `M0 ${middle + 20}H${SIDE}M${middle} 20V${SIDE + 20}`,
        stroke: "var(--line)",
        "stroke-width": 0.7,
      }),
      draw("circle", { cx: middle, cy: middle + 20, r: unit, fill: "none", stroke: "currentColor" }),
      draw("text", { x: middle + unit + 4, y: middle + 34, "font-size": 13 }, "1"),
      arm,
      other,
      one,
    );
    plane.style.touchAction = "none";
    const way = draw("path", { fill: "none", stroke: "var(--lstm)", "stroke-width": 1.5 });
    const dots = Array.from({ length: STEPS }, () => draw("circle", { r: 2.5, fill: "var(--lstm)" }));
    const start = draw("text", { "font-size": 13 }, "start");
    const clip = `live-clip-${Math.random().toString(36).slice(2)}`;
    const path = picture(
      SIDE,
      SIDE + 20,
      draw("text", { x: 0, y: 12, "font-size": 13 }, "the state, 28 steps"),
      draw("clipPath", { id: clip }, draw("rect", { x: 0, y: 20, width: SIDE, height: SIDE })),
      draw("rect", { x: 0, y: 20, width: SIDE, height: SIDE, fill: "none", stroke: "var(--line)" }),
      draw("g", { "clip-path": `url(#${clip})` }, way, ...dots),
      start,
    );
    const bars = Array.from({ length: STEPS }, (_, t) =>
      draw("rect", { x: 34 + t * 5.8, width: 4.4, fill: "var(--lstm)" }),
    );
    const y = (/** @type {number} */ power) => 30 + ((3 - power) / 18) * 160;
    const left = picture(
      SIDE,
      SIDE + 20,
      draw("text", { x: 0, y: 12, "font-size": 13 }, "what is left of each row"),
      ...rnncells.scale([3, 0, -3, -6, -9, -12, -15], 28, y),
      draw("path", { d: `M32 ${y(0)}H${SIDE}`, stroke: "var(--line)" }),
      ...bars,
      draw("text", { x: 34, y: SIDE + 12, "font-size": 12 }, "row 0"),
      draw("text", { x: SIDE, y: SIDE + 12, "font-size": 12, "text-anchor": "end" }, "row 27"),
    );
    const status = rnncells.status();
    const sliders = [
      rnncells.slider({
        name: "Radius",
        min: 0,
        max: MOST,
        step: 0.01,
        value: radius,
        say: (v) => number(v),
        change: (v) => {
          radius = v;
          update();
        },
      }),
      rnncells.slider({
        name: "Angle",
        min: 0,
        max: 180,
        step: 1,
        value: 180 * angle,
        say: (v) => `${v}°`,
        change: (v) => {
          angle = v / 180;
          update();
        },
      }),
    ];

    function update() {
      const theta = angle * Math.PI;
      const states = orbit(matrix(radius, theta), STEPS);
      const [x, v] = [middle + unit * radius * Math.cos(theta), unit * radius * Math.sin(theta)];
      [one, other].forEach((circle, k) => {
        circle.setAttribute("cx", x);
        circle.setAttribute("cy", middle + 20 + (k ? v : -v));
      });
      arm.setAttribute("d", `M${x} ${middle + 20 - v}L${middle} ${middle + 20}L${x} ${middle + 20 + v}`);
      const places = states.map(([a, b]) =>
        [middle + 40 * a, middle + 20 - 40 * b].map((w) => Math.max(-999, Math.min(1999, w))),
      );
      way.setAttribute("d", `M${places.map((place) => place.map((w) => w.toFixed(1)).join(" ")).join("L")}`);
      dots.forEach((dot, t) => {
        dot.setAttribute("cx", places[t][0]);
        dot.setAttribute("cy", places[t][1]);
      });
      start.setAttribute("x", places[0][0] + 5);
      start.setAttribute("y", places[0][1] - 5);
      bars.forEach((bar, row) => {
        const power = Math.max(-15, Math.min(3, Math.log10(Math.hypot(...states[STEPS - 1 - row]) || 1e-99)));
        bar.setAttribute("y", Math.min(y(power), y(0)));
        bar.setAttribute("height", Math.max(1, Math.abs(y(power) - y(0))));
      });
      const share = radius ** (STEPS - 1);
      const does = radius < 0.995 ? "spirals in" : radius > 1.005 ? "flies off" : "stays on a circle";
      status.say(
        `Radius ${number(radius)}: the state ${angle % 1 ? does : does.replace("spirals", "goes").replace("stays on a circle", "keeps its norm")}. Of row 0, 27 steps later, ${rnncells.rough(share)} is left.`,
      );
    }
    const drag = (/** @type {PointerEvent} */ event) => {
      const box = plane.getBoundingClientRect();
      const px = (((event.clientX - box.left) / box.width) * SIDE - middle) / unit;
      const py = Math.abs((((event.clientY - box.top) / box.height) * (SIDE + 20) - 20 - middle) / unit);
      radius = Math.min(MOST, Math.round(100 * Math.hypot(px, py)) / 100);
      angle = Math.round((180 * Math.atan2(py, px)) / Math.PI) / 180;
      sliders[0].set(radius);
      sliders[1].set(Math.round(180 * angle));
      update();
    };
    plane.addEventListener("pointerdown", (/** @type {PointerEvent} */ event) => {
      plane.setPointerCapture(event.pointerId);
      drag(event);
    });
    plane.addEventListener(
      "pointermove",
      (/** @type {PointerEvent} */ event) => plane.hasPointerCapture(event.pointerId) && drag(event),
    );
    element.replaceChildren(
      make("div", { class: "panels" }, plane, path, left),
      ...sliders.map((slider) => slider.element),
      status.element,
    );
    update();
  }

  Object.assign(rnncells, { orbit, rotation: matrix });
  rnncells.live("eigenvalues", eigenvalues);
})(/** @type {any} */ (globalThis).rnncells);
