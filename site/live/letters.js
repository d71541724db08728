// @ts-check
// Letters: type the beginning of a name, and see what a cell expects next; it can write on, too.
//
//   <div data-live="letters">…the still picture…</div>
"use strict";

(function (rnncells) {
  const { make, number, PLACES, LONGEST } = rnncells;
  const FIRST = "ric";
  const PACE = 300; // milliseconds a letter
  const KEPT = 6; // names that were written
  const SORTED = [...PLACES.keys()].slice(1).concat(0); // a to z, then the end

  /** In few letters, for a narrow place. @param {number} share */
  const percent = (share) => {
    if (share < 0.0001) return "<0.01 %";
    if (share > 0.995) return ">99 %";
    return `${number(100 * share, share < 0.01 ? 2 : 0)} %`;
  };

  /** One sentence on what cannot be read; none if all can. @param {string} text */
  function complaint(text) {
    const other = text.match(/[^a-z]/u)?.[0];
    if (other)
      return `This network reads the letters a to z only: ${other.trim() ? `“${other}”` : "a space"} is none of them.`;
    if (text.length > LONGEST)
      return `This network knows names of at most ${LONGEST} letters: these are ${text.length}.`;
    return "";
  }

  /** The bars of the 27 probabilities, and a line on each where the temperature takes it. */
  function makeBars() {
    const bars = SORTED.map((place) => {
      const share = make("span", { class: "share" });
      const track = make(
        "div",
        { class: "track" },
        make("span", { class: "bar" }),
        make("span", { class: "line" }),
        share,
      );
      return { place, share, element: make("div", {}, track, PLACES[place]) };
    });
    const element = make("div", { class: "bars", "aria-hidden": "true" }, ...bars.map((bar) => bar.element));
    /** @param {number[]} shares @param {number[]} drawnFrom @param {number[]} top the most probable places */
    function show(shares, drawnFrom, top) {
      for (const { place, share, element: column } of bars) {
        column.style.setProperty("--share", shares[place]);
        column.style.setProperty("--drawn-from", drawnFrom[place]);
        column.classList.toggle("top", top.includes(place));
        share.textContent = shares[place] < 0.01 ? "<1" : number(100 * shares[place], 0);
      }
    }
    return { element, show };
  }

  /** A letter and the probability that it had. @param {string} letter @param {number} share @param {boolean} written */
  const tile = (letter, share, written) =>
    make(
      "li",
      { class: written ? "written" : "", style: `--share: ${share}` },
      make("b", {}, letter),
      percent(share),
    );

  /** @param {HTMLElement} element */
  function letters(element) {
    const stored = rnncells.weights.letters;
    const cell = rnncells.unpack(stored);
    let typed = FIRST;
    let whole = { name: FIRST, ended: false }; // what was typed, and what was written after it
    let count = FIRST.length; // letters shown, and 1 more where the end is
    let temperature = 1;
    let timer = 0;
    /** @type {string[]} */
    const written = [];

    const input = make("input", {
      type: "text",
      value: FIRST,
      autocomplete: "off",
      autocapitalize: "none",
      spellcheck: "false",
      oninput: read,
      onkeydown: (/** @type {KeyboardEvent} */ event) => event.key === "Enter" && button.click(),
    });
    const spelled = make("ol", { class: "spelled", "aria-label": "Each letter and the probability it had" });
    const bars = makeBars();
    const status = rnncells.status();
    const key = make("p", { class: "live-small" });
    const list = make("p", { class: "names" });
    const row = make("tr");
    const button = make("button", { type: "button", onclick: write }, "Write a name");
    const slider = rnncells.slider({
      name: "Temperature",
      min: 0.3,
      max: 1.5,
      step: 0.1,
      value: 1,
      say: (value) => number(value, 1),
      change: (value) => {
        temperature = value;
        if (!button.disabled) show();
      },
    });

    function read() {
      clearTimeout(timer);
      const text = input.value.trim().toLowerCase();
      const wrong = complaint(text);
      input.setAttribute("aria-invalid", String(wrong !== ""));
      button.disabled = wrong !== "";
      for (const part of [spelled, reading, numbers]) part.inert = wrong !== ""; // they show another name
      if (wrong) return status.say(wrong);
      typed = text;
      whole = { name: text, ended: false };
      count = text.length;
      show();
    }

    function show() {
      const { name, ended } = whole;
      const after = rnncells.spell(cell, name);
      const said = [...name, ...(ended ? ["end"] : [])].slice(0, count);
      const had = said.map((letter, k) => rnncells.softmax(after[k])[PLACES.indexOf(letter)]);
      const now = after[Math.min(count, name.length)];
      const shares = rnncells.softmax(now);
      const top = [...shares.keys()].sort((a, b) => shares[b] - shares[a]).slice(0, 3);
      const finished = count > name.length;

      spelled.replaceChildren(
        ...said.map((letter, k) => tile(letter, had[k], k >= typed.length)),
        ...(finished
          ? []
          : [make("li", { class: "next", "aria-hidden": "true" }, make("b", {}, "?"), "next")]),
      );
      bars.show(shares, rnncells.tempered(now, temperature), top);
      bars.element.classList.toggle("tempered", temperature !== 1);
      key.textContent =
        "The next letter’s probabilities, in percent." +
        (temperature === 1 ? "" : ` Lines: at temperature ${number(temperature, 1)}, as names are written.`);
      row.replaceChildren(...SORTED.map((place) => make("td", {}, number(shares[place], 4))));

      const likely = top.map((place) => `${PLACES[place]} ${percent(shares[place])}`).join(", ");
      const next = count ? `Next after “${name.slice(0, count)}”` : "First";
      const bits = had.reduce((sum, share) => sum + Math.log2(share), 0);
      const total = `log₂ probability: ${number(bits, 1)} bits, ${number(-bits / count, 1)} bits per letter`;
      status.say(
        finished
          ? `“${name}” is written. With its end, ${total}.`
          : `${next}: ${likely}.${count ? ` ${total}.` : ""}`,
      );
    }

    /** Draws a name at once, and shows it letter by letter. */
    function write() {
      clearTimeout(timer);
      whole = rnncells.write(cell, typed, temperature, Math.random);
      const last = whole.name.length + Number(whole.ended);
      const step = (/** @type {number} */ shown) => {
        count = shown;
        show();
        if (count < last) {
          timer = setTimeout(step, PACE, count + 1);
          return;
        }
        written.unshift(whole.ended ? whole.name : `${whole.name}…`);
        written.splice(KEPT);
        list.textContent = `Written so far: ${written.join(", ")}`;
      };
      step(rnncells.still() ? last : typed.length);
    }

    const reading = make("div", {}, bars.element, key);
    const numbers = make(
      "details",
      {},
      make("summary", {}, "In numbers"),
      make(
        "div",
        { class: "live-scroll", tabindex: 0, role: "group", "aria-label": "The 27 probabilities" },
        rnncells.table(
          SORTED.map((place) => PLACES[place]),
          make("tbody", {}, row),
        ),
      ),
    );
    const about =
      `A GRU of ${cell.units} units that learned 81,910 names letter by letter. ` +
      `Of 5,000 other names, each with its end, it needs ${number(stored.bits)} bits per letter; ` +
      `were all 27 equally probable, ${number(Math.log2(27))}.`;
    element.replaceChildren(
      make(
        "div",
        { class: "letters" },
        make("label", {}, "The beginning of a name ", input),
        spelled,
        status.element,
        reading,
        make("div", { class: "live-controls" }, button, slider.element),
        list,
        numbers,
        make("p", { class: "live-small" }, about),
      ),
    );
    show();
  }

  rnncells.live("letters", letters);
})(/** @type {any} */ (globalThis).rnncells);
