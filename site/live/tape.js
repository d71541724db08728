// @ts-check
// The tape: numbers come in, marks say when to write, forget and show; the states follow.
//
//   <div data-live="tape"></div>                     an LSTM's: i, f, o; c and h
//   <div data-live="tape" data-cell="gru"></div>     a GRU's: z and r; g and h
"use strict";

(function (rnncells) {
  const { make, number } = rnncells;
  const NUMBERS = [3, 1, 4, 1, 5, 9, 2, 6];

  /** One step by marks, without the two tanh; x is the candidate.
   * @param {number} x @param {boolean[]} marks write, forget, show @param {{ c: number, h: number }} before */
  function lstmStep(x, [write, forget, show], { c }) {
    const [i, f, o] = [Number(write), 1 - Number(forget), Number(show)];
    const now = f * c + i * x;
    return { c: now, h: o * now };
  }

  /** @param {number} x @param {boolean[]} marks keep, reset @param {{ h: number }} before */
  function gruStep(x, [keep, reset], { h }) {
    const [z, r] = [Number(keep), 1 - Number(reset)];
    const g = x + r * h;
    return { g, h: z * h + (1 - z) * g };
  }

  const TAPES = /** @type {any} */ ({
    lstm: {
      step: lstmStep,
      marks: [
        ["write", "i = 1"],
        ["forget", "f = 0"],
        ["show", "o = 1"],
      ],
      states: ["c", "h"],
      first: [[1, 4], [4], [2, 7]],
      task: "Can you make the last h a 9, and every other h 0?",
      solved: (/** @type {any[]} */ all) => all.every(({ h }, t) => h === (t === 7 ? 9 : 0)),
    },
    gru: {
      step: gruStep,
      marks: [
        ["keep", "z = 1"],
        ["reset", "r = 0"],
      ],
      states: ["g", "h"],
      first: [
        [0, 2, 3, 5, 6, 7],
        [1, 4],
      ],
      task: "Can you make the last h the sum of all eight numbers, 31?",
      solved: (/** @type {any[]} */ all) => all[7].h === 31,
    },
  });

  /** @param {HTMLElement} element */
  function tape(element) {
    const kind = TAPES[element.dataset.cell ?? "lstm"];
    const numbers = [...NUMBERS];
    /** @type {boolean[][]} */
    let marks = numbers.map((_, t) => kind.first.map((/** @type {number[]} */ places) => places.includes(t)));
    const status = rnncells.status();
    const outputs = numbers.map(() => kind.states.map(() => make("td", { class: "now" })));
    /** @type {any[][]} */
    const buttons = numbers.map((_, t) =>
      kind.marks.map(([name]) =>
        make("button", {
          type: "button",
          "aria-label": `${name} at step ${t + 1}`,
          onclick: () => press(t, name),
        }),
      ),
    );
    const inputs = numbers.map((value, t) => {
      const input = make("input", {
        type: "number",
        min: -99,
        max: 99,
        value,
        "aria-label": `number at step ${t + 1}`,
      });
      input.addEventListener("input", () => {
        numbers[t] = Number.isFinite(input.valueAsNumber) ? input.valueAsNumber : 0;
        update();
      });
      return input;
    });

    function press(/** @type {number} */ t, /** @type {string} */ name) {
      const place = kind.marks.findIndex((/** @type {string[]} */ mark) => mark[0] === name);
      marks[t][place] = !marks[t][place];
      update();
    }
    function update() {
      let state = { c: 0, h: 0 };
      const all = numbers.map((x, t) => (state = kind.step(x, marks[t], state)));
      all.forEach((now, t) =>
        kind.states.forEach((/** @type {string} */ name, /** @type {number} */ k) => {
          const value = /** @type {any} */ (now)[name];
          outputs[t][k].textContent = number(value, Number.isInteger(value) ? 0 : 2);
        }),
      );
      marks.forEach((row, t) =>
        row.forEach((on, k) => {
          buttons[t][k].setAttribute("aria-pressed", String(on));
          buttons[t][k].textContent = on ? "●" : "";
        }),
      );
      const said = kind.states.map(
        (/** @type {string} */ name) =>
          `${name}: ${all.map((now) => number(/** @type {any} */ (now)[name], 0)).join(" ")}`,
      );
      status.say(`${said.join(". ")}. ${kind.solved(all) ? "Solved." : ""}`);
      task.classList.toggle("solved", kind.solved(all));
      task.textContent = kind.solved(all) ? `${kind.task} Solved ✓` : kind.task;
    }

    const task = make("p", {});
    const columns = [
      "x",
      ...kind.marks.map(([name, gate]) => [name, make("br"), make("span", { class: "live-small" }, gate)]),
      ...kind.states,
    ];
    const rows = numbers.map((_, t) =>
      make(
        "tr",
        {},
        make("td", {}, inputs[t]),
        ...buttons[t].map((button) => make("td", {}, button)),
        ...outputs[t],
      ),
    );
    const none = make(
      "button",
      {
        type: "button",
        onclick: () => {
          marks = marks.map((row) => row.map(() => false));
          update();
        },
      },
      "No marks",
    );
    element.replaceChildren(
      make(
        "div",
        { class: "live-scroll", tabindex: 0, role: "group", "aria-label": "The tape" },
        rnncells.table(columns, make("tbody", {}, ...rows)),
      ),
      task,
      make("div", { class: "live-controls" }, none),
      status.element,
    );
    update();
  }

  rnncells.live("tape", tape);
})(/** @type {any} */ (globalThis).rnncells);
