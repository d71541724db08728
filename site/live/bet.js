// @ts-check
// A bet: the reader guesses once, and is answered.
//
//   <div class="bet" data-live="bet">the question
//   <details><summary>a guess</summary>its answer</details>
//   <details data-right="true"><summary>the right one</summary>its answer</details></div>
"use strict";

(function (rnncells) {
  const { make } = rnncells;

  /** @param {HTMLElement} element */
  function bet(element) {
    const folds = [...element.querySelectorAll("details")];
    const answer = make("div", { class: "answer", role: "status" });
    const guesses = folds.map((fold) => {
      const right = fold.dataset.right === "true";
      const button = make("button", { type: "button", "aria-pressed": "false" });
      button.append(...(fold.querySelector("summary")?.childNodes ?? []));
      fold.querySelector("summary")?.remove();
      const words = make("div", {}, ...fold.childNodes);
      button.addEventListener("click", () => choose(button));
      return { button, words, right };
    });
    const buttons = make(
      "div",
      { class: "guesses", role: "group", "aria-label": "Guesses" },
      ...guesses.map(({ button }) => button),
    );
    folds[0]?.before(buttons, answer);
    for (const fold of folds) fold.remove();

    /** The first guess counts. @param {HTMLElement} chosen */
    function choose(chosen) {
      if (element.dataset.chosen) return;
      element.dataset.chosen = String(guesses.findIndex(({ button }) => button === chosen));
      for (const { button, right } of guesses) {
        button.setAttribute("aria-pressed", String(button === chosen));
        button.setAttribute("aria-disabled", "true");
        if (right || button === chosen) button.dataset.state = right ? "right" : "wrong";
        if (right) button.prepend("✓ ");
        else if (button === chosen) button.prepend("✗ ");
      }
      const wrong = guesses.filter(({ button, right }) => button === chosen && !right);
      answer.append(...[...wrong, ...guesses.filter(({ right }) => right)].map(({ words }) => words));
    }
  }

  rnncells.live("bet", bet);
})(/** @type {any} */ (globalThis).rnncells);
