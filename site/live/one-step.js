// @ts-check
// One step: the toy of three numbers. Change x and U, step through h, in either direction.
"use strict";

(function (rnncells) {
  const { make, number } = rnncells;
  const W = [
    [1, 0],
    [0, 1],
    [1, -1],
  ];

  /** h = x W + h U. @param {number[]} x @param {number[]} h @param {number[][]} U */
  function linearStep(x, h, U) {
    return [0, 1].map(
      (k) =>
        x.reduce((sum, value, row) => sum + value * W[row][k], 0) +
        h.reduce((sum, value, row) => sum + value * U[row][k], 0),
    );
  }

  /** @param {number[]} values */
  const vector = (values) =>
    `[${values.map((value) => number(value, Number.isInteger(value) ? 0 : 2)).join(", ")}]`;

  /** @param {HTMLElement} element */
  function oneStep(element) {
    const x = [
      [1, 0, 0],
      [0, 1, 0],
      [0, 0, 1],
      [1, 1, 0],
    ];
    const U = [
      [0, 1],
      [1, 0],
    ];
    let backwards = false;
    let count = 0;
    const status = rnncells.status();
    const states = x.map(() => make("td"));
    const rows = x.map((row, t) =>
      make(
        "tr",
        {},
        make("th", { scope: "row" }, `x${"₁₂₃₄"[t]}`),
        ...row.map((value, k) =>
          make(
            "td",
            {},
            entry(value, `x ${t + 1}, feature ${k + 1}`, (now) => (row[k] = now)),
          ),
        ),
        states[t],
      ),
    );

    /** @param {number} value @param {string} name @param {(value: number) => void} change */
    function entry(value, name, change) {
      const input = make("input", { type: "number", min: -9, max: 9, step: 0.5, value, "aria-label": name });
      input.addEventListener("input", () => {
        change(Number.isFinite(input.valueAsNumber) ? input.valueAsNumber : 0);
        update();
      });
      return input;
    }

    function update() {
      const order = x.map((_, t) => (backwards ? x.length - 1 - t : t));
      let h = [0, 0];
      let sentence = "h = [0, 0]: nothing has been read.";
      states.forEach((cell) => (cell.textContent = ""));
      rows.forEach((row) => row.classList.remove("now"));
      order.slice(0, count).forEach((t, done) => {
        const before = h;
        h = linearStep(x[t], h, U);
        states[t].textContent = vector(h);
        if (done === count - 1) {
          rows[t].classList.add("now");
          sentence = `h = ${vector(x[t])} W + ${vector(before)} U = ${vector(linearStep(x[t], [0, 0], U))} + ${vector(linearStep([0, 0, 0], before, U))} = ${vector(h)}`;
        }
      });
      back.disabled = count === 0;
      forth.disabled = count === x.length;
      status.say(sentence);
    }

    const forth = make(
      "button",
      {
        type: "button",
        onclick: () => {
          count += 1;
          update();
        },
      },
      "One step ▶",
    );
    const back = make(
      "button",
      {
        type: "button",
        onclick: () => {
          count -= 1;
          update();
        },
      },
      "◀ Undo",
    );
    const direction = rnncells.toggle("Read backwards", false, (/** @type {boolean} */ on) => {
      backwards = on;
      update();
    });
    const matrix = (/** @type {string} */ name, /** @type {any[][]} */ cells) =>
      make(
        "table",
        { class: "tape" },
        make(
          "tbody",
          {},
          ...cells.map((row, r) =>
            make(
              "tr",
              {},
              ...(r ? [make("td")] : [make("th", { scope: "row" }, name)]),
              ...row.map((cell) => make("td", {}, cell)),
            ),
          ),
        ),
      );
    const tables = make(
      "div",
      { class: "live-controls tables" },
      rnncells.table(["", "1", "2", "3", "h"], make("tbody", {}, ...rows)),
      matrix(
        "W",
        W.map((row) => row.map((value) => number(value, 0))),
      ),
      matrix(
        "U",
        U.map((row, r) =>
          row.map((value, k) => entry(value, `U, row ${r + 1}, column ${k + 1}`, (now) => (row[k] = now))),
        ),
      ),
    );
    element.replaceChildren(
      make(
        "div",
        { class: "live-scroll", tabindex: 0, role: "group", "aria-label": "x, W, U and h" },
        tables,
      ),
      make("div", { class: "live-controls" }, back, forth, direction),
      status.element,
    );
    update();
  }

  rnncells.live("one-step", oneStep);
})(/** @type {any} */ (globalThis).rnncells);
