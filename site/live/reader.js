// @ts-check
// The reader: draw a digit, and watch cells read it row by row.
//
//   <div data-live="reader" data-cells="lstm simple" data-inside>…the still picture…</div>
//
// data-cells: the cell, or the two, that read at first. data-inside: also the states of three units,
// the gates, and the way through the plane, and what can be done to a cell while it reads.
"use strict";

(function (rnncells) {
  const { make, draw, picture: svg, number } = rnncells;
  const ROWS = 28;
  const ROW = 6; // of the drawing's units, as all lengths here
  const TOP = 84; // above the rows: the bars and the digits' names
  const COLUMN = 18; // of a digit
  const LEFT = ROWS * ROW + 12;
  const WIDTH = LEFT + 10 * COLUMN;
  const PACE = 75; // milliseconds a row
  const WAIT = 450; // milliseconds after a stroke, in case another follows
  const NAMES = /** @type {any} */ ({ simple: "simple cell", lstm: "LSTM", gru: "GRU" });
  const GATES = /** @type {any} */ ({
    i: "i, input",
    f: "f, forget",
    o: "o, output",
    z: "z, keeps",
    r: "r, reset",
  });

  /** @param {number} share */
  const percent = (share) =>
    share > 0.995 ? "over 99 %" : share < 0.005 ? "under 1 %" : `${number(100 * share, 0)} %`;

  /** The places of the largest numbers, largest first. @param {ArrayLike<number>} values */
  const order = (values) => Array.from(values, (_, k) => k).sort((a, b) => values[b] - values[a]);

  // The paper that is drawn on.

  /** @param {(strokes: any[], done: boolean) => void} changed */
  function makePad(changed) {
    const size = 280;
    const canvas = make("canvas", {
      width: size,
      height: size,
      tabindex: 0,
      role: "application",
      "aria-label": "Paper to draw a digit on. Arrow keys move the pen, Space puts it down and lifts it.",
    });
    const hint = make("div", { class: "hint" }, "Draw a digit");
    const paper = canvas.getContext("2d");
    /** @type {{ x: number, y: number }[][]} */
    let strokes = [];
    let sample = /** @type {any} */ (undefined);
    let pen = { x: size / 2, y: size / 4, down: false, seen: false };

    function show() {
      const ink = getComputedStyle(canvas).color;
      paper.clearRect(0, 0, size, size);
      paper.fillStyle = paper.strokeStyle = ink;
      paper.lineCap = paper.lineJoin = "round";
      paper.lineWidth = size / 13;
      if (sample) rnncells.showPixels(paper, sample, size, ink);
      for (const stroke of strokes) {
        paper.beginPath();
        paper.moveTo(stroke[0].x, stroke[0].y);
        for (const { x, y } of stroke) paper.lineTo(x, y); // to itself: a dot
        paper.stroke();
      }
      if (pen.seen) {
        paper.lineWidth = 3;
        paper.beginPath();
        paper.arc(pen.x, pen.y, 12, 0, 7);
        paper.stroke();
      }
      hint.style.display = strokes.length || sample || pen.seen ? "none" : "";
    }

    const place = (/** @type {any} */ event) => {
      const box = canvas.getBoundingClientRect();
      return {
        x: ((event.clientX - box.left) / box.width) * size,
        y: ((event.clientY - box.top) / box.height) * size,
      };
    };
    const begin = (/** @type {any} */ point) => {
      sample = undefined;
      strokes.push([point]);
    };
    canvas.addEventListener("pointerdown", (/** @type {PointerEvent} */ event) => {
      if (event.button) return;
      canvas.setPointerCapture(event.pointerId);
      pen.seen = false;
      begin(place(event));
      show();
      changed(strokes, false);
    });
    canvas.addEventListener("pointermove", (/** @type {PointerEvent} */ event) => {
      if (!canvas.hasPointerCapture(event.pointerId)) return;
      const events = event.getCoalescedEvents?.() ?? [];
      strokes[strokes.length - 1].push(...(events.length ? events : [event]).map(place));
      show();
      changed(strokes, false);
    });
    for (const name of ["pointerup", "pointercancel"]) {
      canvas.addEventListener(name, () => strokes.length && changed(strokes, true));
    }
    canvas.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
      const moves = /** @type {any} */ ({
        ArrowUp: [0, -1],
        ArrowDown: [0, 1],
        ArrowLeft: [-1, 0],
        ArrowRight: [1, 0],
      });
      const move = moves[event.key];
      if (!move && event.key !== " ") return;
      event.preventDefault();
      pen.seen = true;
      if (event.key === " ") {
        pen.down = !pen.down;
        if (pen.down) begin({ x: pen.x, y: pen.y });
      } else {
        pen.x = Math.min(size, Math.max(0, pen.x + 10 * move[0]));
        pen.y = Math.min(size, Math.max(0, pen.y + 10 * move[1]));
        if (pen.down) strokes[strokes.length - 1].push({ x: pen.x, y: pen.y });
      }
      show();
      if (strokes.length) changed(strokes, !pen.down);
    });
    canvas.addEventListener("blur", () => {
      pen = { ...pen, down: false, seen: false };
      show();
    });
    rnncells.whenThemeChanges(show);

    const set = (/** @type {any} */ other) => {
      strokes = [];
      sample = other;
      show();
    };
    return { element: make("div", { class: "pad" }, canvas, hint), set };
  }

  // What one cell makes of a picture.

  /** @param {any} cell @param {boolean} inside */
  function makeView(cell, inside) {
    const colour = `var(--${cell.kind})`;
    const bars = Array.from({ length: 10 }, (_, d) =>
      draw("rect", { x: LEFT + d * COLUMN + 2, width: COLUMN - 4, y: 64, height: 0, fill: colour }),
    );
    const names = bars.map((_, d) =>
      draw(
        "text",
        { x: LEFT + (d + 0.5) * COLUMN, y: TOP - 5, "text-anchor": "middle", "font-size": 14 },
        String(d),
      ),
    );
    const cells = Array.from({ length: ROWS }, (_, t) =>
      bars.map((_, d) =>
        draw("rect", {
          x: LEFT + d * COLUMN + 0.5,
          y: TOP + t * ROW,
          width: COLUMN - 1,
          height: ROW - 0.5,
          fill: colour,
        }),
      ),
    );
    const pixels = draw("path", { fill: "none", stroke: "currentColor", "stroke-width": ROW });
    const grey = Array.from({ length: 4 }, (_, k) =>
      draw("path", { stroke: "currentColor", "stroke-width": ROW, "stroke-opacity": (k + 1) / 4 }),
    );
    const unread = draw("rect", { width: ROWS * ROW, fill: "var(--paper)", "fill-opacity": 0.72 });
    const frame = draw("rect", {
      x: 0,
      y: TOP,
      width: ROWS * ROW,
      height: ROWS * ROW,
      fill: "none",
      stroke: "var(--line)",
    });
    const line = draw("path", { stroke: "var(--warm)", "stroke-width": 2 });
    const verdict = draw("text", { x: 0, y: 62, "font-size": 58, "font-weight": 700 });
    const sure = draw("text", { x: 48, y: 36, "font-size": 15 });
    const then = draw("text", { x: 48, y: 58, "font-size": 15 });
    const base = draw("path", { d: `M${LEFT} 64.5H${WIDTH}`, stroke: "var(--line)" });
    const main = svg(
      WIDTH,
      TOP + ROWS * ROW + 1,
      base,
      ...bars,
      ...names,
      ...cells.flat(),
      pixels,
      ...grey,
      unread,
      frame,
      line,
      verdict,
      sure,
      then,
    );
    const innards = inside ? makeInnards(cell, colour) : undefined;
    const title = make(
      "p",
      {},
      make(
        "strong",
        { style: `color: ${colour}` },
        NAMES[cell.kind][0].toUpperCase() + NAMES[cell.kind].slice(1),
      ),
    );
    title.append(
      make(
        "span",
        { class: "live-small" },
        `, ${cell.units} units: ${number(100 * cell.accuracy, 2)} % of 10,000 test digits right`,
      ),
    );
    const element = make("div", { class: "view" }, title, main, ...(innards ? [innards.element] : []));
    /** @type {any[]} */
    let rows = [];
    /** @type {number[][]} */
    let shares = [];

    return {
      cell,
      element,
      svg: main,
      /** @param {Float64Array[]} image @param {any} meddling */
      read(image, meddling) {
        rows = rnncells.read(cell, image, meddling);
        shares = rows.map((row) => rnncells.softmax(row.scores));
        grey.forEach((path, k) => path.setAttribute("d", pixelsOf(image, k, grey.length)));
        innards?.read(rows);
      },
      /** @param {number} count of rows that have been read */
      show(count) {
        const now = shares[count - 1];
        const [best, second] = order(now);
        bars.forEach((bar, d) => {
          bar.setAttribute("height", 58 * now[d]);
          bar.setAttribute("y", 64 - 58 * now[d]);
        });
        names.forEach((name, d) => name.setAttribute("font-weight", d === best ? 800 : 400));
        cells.forEach((line, t) =>
          line.forEach((rect, d) => rect.setAttribute("fill-opacity", t < count ? shares[t][d] : 0)),
        );
        unread.setAttribute("y", TOP + count * ROW);
        unread.setAttribute("height", (ROWS - count) * ROW);
        line.setAttribute("d", `M-4 ${TOP + count * ROW}H${WIDTH}`);
        verdict.textContent = String(best);
        sure.textContent = percent(now[best]);
        then.textContent = now[second] < 0.005 ? "" : `or ${second}: ${percent(now[second])}`;
        innards?.show(count);
      },
      /** @param {number} count */
      said(count) {
        const now = shares[count - 1];
        const [best, second] = order(now);
        return `${NAMES[cell.kind]}: ${best} (${percent(now[best])}), then ${second} (${percent(now[second])})`;
      },
      /** @param {number} count */
      shares: (count) => shares[count - 1],
    };
  }

  /** Pixels of one darkness as strokes. @param {Float64Array[]} image @param {number} level @param {number} levels */
  function pixelsOf(image, level, levels) {
    let path = "";
    image.forEach((row, r) =>
      row.forEach((value, c) => {
        if (Math.ceil(value * levels - 0.5) === level + 1)
          path += `M${c * ROW} ${TOP + (r + 0.5) * ROW}h${ROW}`;
      }),
    );
    return path;
  }

  // The states of three units, the gates, and the way through the plane.

  /** @param {any} cell @param {string} colour */
  function makeInnards(cell, colour) {
    const { gates } = rnncells.cells[cell.kind];
    const shown = gates.filter((/** @type {string} */ gate) => gate !== "g");
    const high = ROWS * ROW;
    const panel = 104;
    const planeAt = WIDTH - (shown.length ? 124 : 180);
    const lines = Array.from({ length: 3 }, () =>
      draw("path", { fill: "none", "stroke-width": 2, stroke: colour }),
    );
    const lineNames = lines.map(() => draw("text", { "font-size": 12, "text-anchor": "middle" }));
    lines.forEach((path, k) => path.setAttribute("stroke-dasharray", ["none", "5 3", "1.5 2.5"][k]));
    const gateLines = shown.map((_, k) =>
      draw("path", {
        fill: "none",
        "stroke-width": 2,
        stroke: "currentColor",
        "stroke-dasharray": ["none", "5 3", "1.5 2.5"][k],
      }),
    );
    const gateNames = shown.map((gate) =>
      draw("text", { "font-size": 13, "text-anchor": "middle", "font-style": "italic" }, gate),
    );
    const width = shown.length ? panel : 140;
    const row = draw("path", { stroke: "var(--warm)", "stroke-width": 2 });
    const unread = draw("rect", { width: planeAt - 8, fill: "var(--paper)", "fill-opacity": 0.72 });
    const axis = (/** @type {number} */ x, /** @type {string} */ text, /** @type {number} */ wide) =>
      draw(
        "g",
        {},
        draw("rect", { x, y: 20, width: wide, height: high, fill: "none", stroke: "var(--line)" }),
        draw("text", { x, y: 12, "font-size": 13 }, text),
      );
    const way = draw("path", { fill: "none", stroke: colour, "stroke-width": 2 });
    const spot = draw("circle", { r: 5, fill: colour });
    const largest = Math.max(...cell.centres.flat().map(Math.abs)) * 1.15;
    const side = WIDTH - planeAt;
    const at = ([x, y]) => [planeAt + (side * (1 + x / largest)) / 2, 20 + (side * (1 - y / largest)) / 2];
    const digits = cell.centres.map((/** @type {number[]} */ centre, /** @type {number} */ d) => {
      const [x, y] = at(centre);
      return draw("text", { x, y: y + 5, "font-size": 14, "text-anchor": "middle" }, String(d));
    });
    const element = svg(
      WIDTH,
      20 + high + 20,
      axis(0, cell.kind === "lstm" ? "c of three units" : "h of three units", width),
      ...(shown.length ? [axis(width + 12, "the gates, mean", width)] : []),
      draw("text", { x: planeAt, y: 12, "font-size": 13 }, "h in a plane"),
      draw("rect", { x: planeAt, y: 20, width: side, height: side, fill: "none", stroke: "var(--line)" }),
      ...lines,
      ...lineNames,
      ...gateLines,
      unread,
      ...gateNames,
      row,
      ...digits,
      way,
      spot,
    );
    /** @type {number[][]} */
    let path = [];

    /** @param {any[]} rows */
    function read(rows) {
      const last = rows[ROWS - 1];
      const [best] = order(last.scores);
      const speaks = Array.from(last.states.h, (/** @type {number} */ h, unit) =>
        Math.abs(h * cell.dense.kernel[unit * 10 + best]),
      );
      const units = order(speaks).slice(0, 3);
      const state = cell.kind === "lstm" ? "c" : "h";
      const most =
        state === "h"
          ? 1
          : Math.max(1, ...units.flatMap((unit) => rows.map((r) => Math.abs(r.states.c[unit]))));
      const places = units.map((unit, k) => {
        const xs = rows.map((r) => (width / 2) * (1 + (0.94 * r.states[state][unit]) / most));
        lines[k].setAttribute("d", downwards(xs));
        return xs[ROWS - 1];
      });
      spread(places, 22, width).forEach((x, k) => {
        lineNames[k].setAttribute("x", x);
        lineNames[k].setAttribute("y", 20 + high + 15);
        lineNames[k].textContent = String(units[k]);
      });
      const gateEnds = shown.map((gate, k) => {
        const xs = rows.map((r) => width + 12 + width * mean(r.gates[gate]));
        gateLines[k].setAttribute("d", downwards(xs));
        return xs[ROWS - 1] - width - 12;
      });
      spread(gateEnds, 16, width).forEach((x, k) => {
        gateNames[k].setAttribute("x", width + 12 + x);
        gateNames[k].setAttribute("y", 20 + high + 15);
      });
      path = rows.map((r) =>
        at(
          [0, 1].map((axis) =>
            Array.from(r.states.h).reduce(
              (/** @type {number} */ sum, /** @type {any} */ h, unit) =>
                sum + (h - cell.middle[unit]) * cell.axes[2 * unit + axis],
              0,
            ),
          ),
        ),
      );
    }

    /** @param {number[]} xs */
    const downwards = (xs) => `M${xs.map((x, t) => `${x.toFixed(1)} ${20 + (t + 1) * ROW}`).join("L")}`;
    const mean = (/** @type {Float64Array} */ values) =>
      values.reduce((sum, value) => sum + value, 0) / values.length;

    function show(/** @type {number} */ count) {
      row.setAttribute("d", `M-4 ${20 + count * ROW}H${planeAt - 8}`);
      unread.setAttribute("y", 20 + count * ROW);
      unread.setAttribute("height", (ROWS - count) * ROW);
      way.setAttribute(
        "d",
        `M${path
          .slice(0, count)
          .map((point) => point.map((v) => v.toFixed(1)).join(" "))
          .join("L")}`,
      );
      spot.setAttribute("cx", path[count - 1][0]);
      spot.setAttribute("cy", path[count - 1][1]);
    }
    return { element, read, show };
  }

  /** Places moved apart so that names on them do not touch. @param {number[]} places @param {number} least @param {number} end */
  function spread(places, least, end) {
    const sorted = order(places).reverse();
    const result = [...places];
    sorted.forEach((k, n) => {
      if (n) result[k] = Math.max(result[k], result[sorted[n - 1]] + least);
    });
    const over = Math.max(0, result[sorted[sorted.length - 1]] - (end - 8));
    return result.map((x) => x - over);
  }

  // The whole.

  /** @param {HTMLElement} element */
  function reader(element) {
    const inside = element.hasAttribute("data-inside");
    const stored = rnncells.weights;
    const wanted = (element.dataset.cells ?? "lstm").split(" ");
    const taken = rnncells.samplesToTake();
    let image = taken[4].image;
    let count = ROWS;
    let timer = 0;
    /** @type {any} */
    const meddling = { held: {}, forgetAt: -1 };
    /** @type {any[]} */
    let views = [];

    const pad = makePad((strokes, done) => {
      stop();
      image = rnncells.centred(rnncells.inked(strokes));
      cancelAnimationFrame(frame);
      frame = requestAnimationFrame(update);
      if (done && !rnncells.still()) timer = setTimeout(play, WAIT);
    });
    let frame = 0;
    const status = rnncells.status();
    const table = make("tbody");
    const rowSlider = rnncells.slider({
      name: "Rows read",
      min: 1,
      max: ROWS,
      value: ROWS,
      change: (value) => {
        stop();
        show(value);
      },
    });
    const playButton = make(
      "button",
      { type: "button", onclick: () => (timer ? stop() : play()) },
      "▶ Read it",
    );
    const places = make("div", { class: "views" });

    function update() {
      for (const view of views) view.read(image, meddling);
      show(timer ? count : ROWS);
    }
    function show(/** @type {number} */ value) {
      count = value;
      rowSlider.set(value);
      for (const view of views) view.show(count);
      status.say(`${count} of ${ROWS} rows read. ${views.map((view) => view.said(count)).join(". ")}.`);
      table.replaceChildren(
        ...views.map((view) =>
          make(
            "tr",
            {},
            make("th", { scope: "row" }, NAMES[view.cell.kind]),
            ...view.shares(count).map((/** @type {number} */ share) => make("td", {}, number(share, 3))),
          ),
        ),
      );
    }
    function stop() {
      clearTimeout(timer);
      timer = 0;
      playButton.textContent = "▶ Read it";
    }
    function play() {
      stop();
      update();
      playButton.textContent = "Pause";
      let next = Math.max(
        1,
        image.findIndex((row) => row.some((value) => value > 0)),
      );
      const step = () => {
        show(next);
        next += 1;
        if (next > ROWS) return stop();
        timer = setTimeout(step, PACE);
      };
      step();
    }
    function arrange(/** @type {string[]} */ kinds) {
      views = kinds.map(
        (kind) =>
          views.find((view) => view.cell.kind === kind) ?? makeView(rnncells.unpack(stored[kind]), inside),
      );
      places.replaceChildren(...views.map((view) => view.element));
      whole.classList.toggle("pair", views.length === 2);
      update();
    }

    // Taking one, and which cells read.
    const choices = taken.map(({ label, image: picture }) => {
      const small = make("canvas", { width: 56, height: 56, "aria-hidden": "true" });
      const paint = () => {
        const paper = small.getContext("2d");
        paper.clearRect(0, 0, 56, 56);
        rnncells.showPixels(paper, picture, 56, getComputedStyle(element).color);
      };
      requestAnimationFrame(paint);
      rnncells.whenThemeChanges(paint);
      return make(
        "button",
        { type: "button", "aria-label": `Take a ${label}`, onclick: () => take(picture) },
        small,
      );
    });
    function take(/** @type {Float64Array[]} */ picture) {
      stop();
      image = picture;
      pad.set(picture);
      rnncells.still() ? update() : play();
    }
    const clear = make(
      "button",
      {
        type: "button",
        onclick: () => {
          stop();
          pad.set(undefined);
        },
      },
      "Clear",
    );
    let kinds = wanted;
    const toggles = Object.keys(NAMES).map((kind) => {
      const button = make(
        "button",
        { type: "button", "aria-pressed": String(kinds.includes(kind)) },
        NAMES[kind],
      );
      button.addEventListener("click", () => {
        const others = kinds.filter((other) => other !== kind);
        kinds = kinds.includes(kind) ? (others.length ? others : kinds) : [...kinds, kind].slice(-2);
        toggles.forEach((other, k) =>
          other.setAttribute("aria-pressed", String(kinds.includes(Object.keys(NAMES)[k]))),
        );
        arrange(kinds);
      });
      return button;
    });

    const numbers = make(
      "details",
      { class: "whole" },
      make("summary", {}, "In numbers"),
      make(
        "div",
        { class: "live-scroll", tabindex: 0, role: "group", "aria-label": "The ten scores as shares" },
        rnncells.table(["", ..."0123456789"], table),
      ),
    );
    const whole = make(
      "div",
      { class: "reader" },
      make(
        "div",
        { class: "pad-and-play" },
        pad.element,
        make("div", { class: "live-controls" }, playButton, clear),
      ),
      make(
        "div",
        { class: "reading" },
        places,
        rowSlider.element,
        status.element,
        make(
          "div",
          { class: "live-controls", role: "group", "aria-label": "Cells that read: one or two" },
          ...toggles,
        ),
      ),
      make("div", { class: "samples", role: "group", "aria-label": "Or take one" }, ...choices),
      ...(inside ? [makeMeddling(meddling, () => update())] : []),
      numbers,
    );
    element.replaceChildren(whole);
    arrange(kinds);
    places.addEventListener("pointerdown", point);
    places.addEventListener(
      "pointermove",
      (/** @type {PointerEvent} */ event) => event.buttons && point(event),
    );

    /** A row of the picture, pointed at. @param {PointerEvent} event */
    function point(event) {
      const view = views.find((each) => each.svg.contains(/** @type {Node} */ (event.target)));
      if (!view) return;
      const box = view.svg.getBoundingClientRect();
      const height = TOP + ROWS * ROW + 1;
      const row = Math.round((((event.clientY - box.top) / box.height) * height - TOP) / ROW);
      if (row < 1 || row > ROWS) return;
      stop();
      show(row);
    }
  }

  /** What can be done to a cell while it reads. @param {any} meddling @param {() => void} changed */
  function makeMeddling(meddling, changed) {
    const gate = make(
      "select",
      { "aria-label": "Gate to hold" },
      make("option", { value: "" }, "no gate"),
      ...Object.entries(GATES).map(([name, text]) => make("option", { value: name }, text)),
    );
    const value = make(
      "select",
      { "aria-label": "Held how" },
      make("option", { value: 1 }, "open (1)"),
      make("option", { value: 0 }, "closed (0)"),
    );
    const hold = () => {
      meddling.held = gate.value ? { [gate.value]: Number(value.value) } : {};
      changed();
    };
    gate.addEventListener("change", hold);
    value.addEventListener("change", hold);
    const row = rnncells.slider({ name: "at row", min: 1, max: 27, value: 14, change: () => forget() });
    const box = make("input", { type: "checkbox" });
    const forget = () => {
      meddling.forgetAt = box.checked ? Number(row.input.value) : -1;
      changed();
    };
    box.addEventListener("change", forget);
    return make(
      "details",
      { class: "whole" },
      make("summary", {}, "Do something to the cell"),
      make("div", { class: "live-controls" }, "Hold ", gate, value),
      make("div", { class: "live-controls" }, make("label", {}, box, "Forget everything"), row.element),
    );
  }

  rnncells.live("reader", reader);
})(/** @type {any} */ (globalThis).rnncells);
