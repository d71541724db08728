// @ts-check
// What every live element needs: parts, sliders, text for a screen reader, and its start when seen.
"use strict";

(function (rnncells) {
  const SVG = "http://www.w3.org/2000/svg";

  /** @typedef {{ [name: string]: any }} Attributes text, or a listener where the name begins with "on" */

  /** @param {Element} element @param {Attributes} attributes @param {(Node | string)[]} children */
  function fill(element, attributes, children) {
    for (const [name, value] of Object.entries(attributes)) {
      if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
      else if (value !== false && value !== undefined)
        element.setAttribute(name, value === true ? "" : value);
    }
    element.append(...children);
    return element;
  }

  /** An HTML element. @param {string} tag @param {Attributes} [attributes] @param {...(Node | string)} children
   * @returns {any} */
  const make = (tag, attributes = {}, ...children) => fill(document.createElement(tag), attributes, children);

  /** An SVG element. @param {string} tag @param {Attributes} [attributes] @param {...(Node | string)} children
   * @returns {any} */
  const draw = (tag, attributes = {}, ...children) =>
    fill(document.createElementNS(SVG, tag), attributes, children);

  /** A drawing that a screen reader passes by: what it shows is said in a status.
   * @param {number} width @param {number} height @param {...Node} children */
  const picture = (width, height, ...children) =>
    draw("svg", { viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true" }, ...children);

  /** A button that is on or off. @param {string} text @param {boolean} on @param {(on: boolean) => void} change */
  function toggle(text, on, change) {
    const button = make("button", { type: "button", "aria-pressed": String(on) }, text);
    button.addEventListener("click", () => {
      const now = button.getAttribute("aria-pressed") !== "true";
      button.setAttribute("aria-pressed", String(now));
      change(now);
    });
    return button;
  }

  let ids = 0;

  /** A slider with its name and its value as text.
   * @param {{ name: string, min: number, max: number, step?: number, value: number,
   *   say?: (value: number) => string, change: (value: number) => void }} options */
  function slider({ name, min, max, step = 1, value, say = String, change }) {
    const id = `live-slider-${++ids}`;
    const input = make("input", { type: "range", id, min, max, step, value });
    const output = make("span", { class: "live-value", "aria-hidden": "true" }); // aria-valuetext says it
    const show = () => {
      output.textContent = say(Number(input.value));
      input.setAttribute("aria-valuetext", say(Number(input.value)));
    };
    input.addEventListener("input", () => {
      show();
      change(Number(input.value));
    });
    show();
    const set = (/** @type {number} */ now) => {
      input.value = String(now);
      show();
    };
    return {
      element: make("div", { class: "live-slider" }, make("label", { for: id }, name), input, output),
      input,
      set,
    };
  }

  /** Text that is seen and that a screen reader says when it has stood still for a while.
   * @returns {{ element: HTMLElement, say: (text: string) => void }} */
  function status() {
    const seen = make("p", { class: "live-status" });
    const said = make("p", { class: "live-said", role: "status" });
    let timer = 0;
    const say = (/** @type {string} */ text) => {
      if (seen.textContent === text) return;
      seen.textContent = text;
      clearTimeout(timer);
      timer = setTimeout(() => (said.textContent = text), 500);
    };
    seen.setAttribute("aria-hidden", "true");
    return { element: make("div", {}, seen, said), say };
  }

  /** Whether nothing should move by itself. */
  const still = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

  /** Numbers as a page shows them: a real minus, no minus before zero.
   * @param {number} value @param {number} [digits] */
  function number(value, digits = 2) {
    const text = value.toFixed(digits);
    return (Number(text) === 0 ? text.replace("-", "") : text).replace("-", "−");
  }

  /** A number of any size, in a few digits. @param {number} value */
  const rough = (value) =>
    value < 0.01 || value > 100 ? value.toExponential(1).replace("-", "−").replace("+", "") : number(value);

  /** The names of powers of ten along an axis, whose text ends at x.
   * @param {number[]} powers @param {number} x @param {(power: number) => number} y */
  const scale = (powers, x, y) =>
    powers.map((power) =>
      draw(
        "text",
        { x, y: y(power) + 4, "font-size": 11, "text-anchor": "end" },
        power ? `1e${power}`.replace("-", "−") : "1",
      ),
    );

  /** A table with a name above each column; a corner has none.
   * @param {(string | (Node | string)[])[]} columns @param {Node} body */
  const table = (columns, body) =>
    make(
      "table",
      { class: "tape" },
      make(
        "thead",
        {},
        make(
          "tr",
          {},
          ...columns.map((name) =>
            name === "" ? make("td") : make("th", { scope: "col" }, ...[name].flat()),
          ),
        ),
      ),
      body,
    );

  const SIDE = 28; // pixels of a picture

  /** A picture's pixels on a canvas. @param {CanvasRenderingContext2D} paper @param {ArrayLike<number>[]} pixels
   * @param {number} size of the canvas @param {string} ink */
  function showPixels(paper, pixels, size, ink) {
    const side = size / SIDE;
    paper.fillStyle = ink;
    pixels.forEach((row, r) => {
      for (let c = 0; c < SIDE; c++) {
        paper.globalAlpha = row[c];
        if (row[c]) paper.fillRect(c * side, r * side, side + 0.3, side + 0.3);
      }
    });
    paper.globalAlpha = 1;
  }

  /** Some of MNIST's test digits. @returns {{ label: number, image: Float64Array[] }[]} */
  function samplesToTake() {
    const { labels, pictures } = rnncells.samples;
    const bytes = rnncells.bytes(pictures);
    const row = (/** @type {number} */ k) =>
      Float64Array.from(bytes.subarray(k * SIDE, (k + 1) * SIDE), (v) => v / 255);
    return labels.map((/** @type {number} */ label, /** @type {number} */ n) => ({
      label,
      image: Array.from({ length: SIDE }, (_, r) => row(n * SIDE + r)),
    }));
  }

  /** Calls back when the page goes from light to dark, or back. @param {() => void} change */
  const whenThemeChanges = (change) =>
    new MutationObserver(change).observe(document.documentElement, { attributeFilter: ["data-theme"] });

  /** @type {{ [name: string]: (element: HTMLElement) => void }} */
  const things = {};

  /** Names a thing to play with; it is made when an element that asks for it comes near the screen.
   * @param {string} name @param {(element: HTMLElement) => void} start */
  function live(name, start) {
    things[name] = start;
    if (document.readyState !== "loading") watch(name);
    else addEventListener("DOMContentLoaded", () => watch(name));
  }

  /** @param {string} name */
  function watch(name) {
    const seen = new IntersectionObserver(
      (entries) => {
        for (const { isIntersecting, target } of entries) {
          if (!isIntersecting) continue;
          seen.unobserve(target);
          begin(/** @type {HTMLElement} */ (target), name);
        }
      },
      { rootMargin: "600px" },
    );
    for (const element of document.querySelectorAll(`[data-live="${name}"]`)) seen.observe(element);
  }

  /** The still picture and its sentence give way. @param {HTMLElement} element @param {string} name */
  function begin(element, name) {
    if (element.dataset.started) return;
    element.dataset.started = "true";
    element.classList.add("live");
    things[name](element);
  }

  Object.assign(rnncells, {
    make,
    draw,
    picture,
    toggle,
    slider,
    status,
    still,
    number,
    rough,
    scale,
    table,
    showPixels,
    samplesToTake,
    whenThemeChanges,
    live,
  });
})(/** @type {any} */ (/** @type {any} */ ((globalThis.rnncells ??= {}))));
