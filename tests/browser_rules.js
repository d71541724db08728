// Loaded into each page before its own scripts. What the rules of test_browser.py ask a page;
// every question is answered with a list of complaints.
"use strict";

const INVISIBLE = "script, style, noscript, template, mjx-assistive-mml, .visually-hidden";

const rules = (window.rules = {
  /** Waits for the mathematics and unfolds every cell. */
  async settled() {
    await window.MathJax?.startup?.promise;
    for (const fold of document.querySelectorAll("details")) fold.open = true;
    await new Promise((done) => setTimeout(done, 50));
  },

  /** An element as a person would look it up. */
  named(element) {
    const text = (element.getAttribute("aria-label") || element.textContent || "").trim();
    const classes = [...element.classList].map((name) => `.${name}`).join("");
    return `${element.localName}${classes} "${text.replace(/\s+/g, " ").slice(0, 40)}"`;
  },

  shown(element) {
    const { width, height } = element.getBoundingClientRect();
    return width > 1 && height > 1 && element.checkVisibility({ visibilityProperty: true });
  },

  /** Every element that is seen, inside `scope`. */
  all(selector, scope = document) {
    return [...scope.querySelectorAll(selector)].filter(
      (element) => !element.closest(INVISIBLE) && rules.shown(element),
    );
  },

  /** Every element that holds text of its own; a formula counts as one. */
  texts(scope = document.body) {
    const own = (element) =>
      [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    return rules
      .all("*", scope)
      .filter((e) => e.localName === "mjx-container" || (!e.closest("svg") && own(e)));
  },

  above(element) {
    const line = [];
    for (let e = element; e; e = e.parentElement) line.push(e);
    return line;
  },

  scrollsSideways(element) {
    return ["auto", "scroll"].includes(getComputedStyle(element).overflowX);
  },

  // -- on a phone

  scrolling() {
    const { scrollWidth, clientWidth } = document.documentElement;
    return scrollWidth > clientWidth ? [`the page is ${scrollWidth} px wide, not ${clientWidth}`] : [];
  },

  /** The boxes of an element and of its own text: a long word sticks out of its element. */
  boxes(element) {
    const text = [...element.childNodes].filter((node) => node.nodeType === 3 && node.data.trim());
    const ranges = text.map((node) => {
      const range = document.createRange();
      range.selectNode(node);
      return range;
    });
    return [element, ...ranges].map((part) => part.getBoundingClientRect());
  },

  tooWide() {
    const width = document.documentElement.clientWidth;
    const outside = ({ left, right }) => right > width + 1 || (left < -1 && right > 0);
    return rules
      .all("body *")
      .filter((e) => rules.boxes(e).some(outside) && !rules.above(e).some(rules.scrollsSideways))
      .map((e) => `${rules.named(e)} leaves the screen`);
  },

  tooSmall() {
    return rules.texts().flatMap((element) => {
      const size = parseFloat(getComputedStyle(element).fontSize);
      const least = element.matches(".bd-article section > p, .bd-article section > ul p") ? 16 : 12;
      return size < least ? [`${rules.named(element)} is set in ${size} px, not ${least}`] : [];
    });
  },

  cutOff() {
    const cuts = (overflow) => ["hidden", "clip"].includes(overflow);
    return rules
      .all("body *")
      .filter((e) => !e.closest("svg") && e.innerText?.trim())
      .filter((e) => {
        const { display, overflowX, overflowY } = getComputedStyle(e);
        return (
          display !== "inline" &&
          ((cuts(overflowX) && e.scrollWidth > e.clientWidth + 1) ||
            (cuts(overflowY) && e.scrollHeight > e.clientHeight + 1))
        );
      })
      .map((e) => `${rules.named(e)} is cut off`);
  },

  // -- mathematics

  unrendered() {
    const main = document.querySelector("main");
    const without = [...main.querySelectorAll(".math")].filter((e) => !e.querySelector("mjx-container"));
    const wrong = [...main.querySelectorAll('[data-mml-node="merror"], mjx-merror, mjx-container [fill="red"]')];
    const raw = rules
      .texts(main)
      .filter((e) => !e.closest("pre, code, mjx-container") && /\\[([]|\$\$/.test(e.textContent));
    return [
      ...without.map((e) => `not rendered: ${rules.named(e)}`),
      ...wrong.map((e) => `an error: ${e.closest("mjx-container").textContent.slice(0, 60)}`),
      ...raw.map((e) => `raw: ${rules.named(e)}`),
    ];
  },

  // -- colours

  /** Red, green, blue (0 to 255) and alpha of a CSS colour. */
  rgba(colour) {
    if (!rules.seen.has(colour)) {
      rules.canvas.clearRect(0, 0, 1, 1);
      rules.canvas.fillStyle = colour;
      rules.canvas.fillRect(0, 0, 1, 1);
      const [r, g, b, a] = rules.canvas.getImageData(0, 0, 1, 1).data;
      rules.seen.set(colour, [r, g, b, a / 255]);
    }
    return rules.seen.get(colour);
  },
  canvas: new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true }),
  seen: new Map(),

  over([r, g, b, a], below) {
    return [r, g, b].map((value, i) => value * a + below[i] * (1 - a));
  },

  /** The colour behind an element, and its opacity: worked out once, from its parent's. */
  ground(element, known) {
    if (!element) return { colour: [255, 255, 255], opacity: 1 };
    if (!known.has(element)) {
      const { colour, opacity } = rules.ground(element.parentElement, known);
      const style = getComputedStyle(element);
      known.set(element, {
        colour: rules.over(rules.rgba(style.backgroundColor), colour),
        opacity: opacity * style.opacity,
      });
    }
    return known.get(element);
  },

  luminance(colour) {
    const [r, g, b] = colour
      .map((value) => value / 255)
      .map((value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  },

  /** The contrast of two colours as WCAG 2 has it: 1 to 21. */
  contrast(one, other) {
    const [dark, light] = [rules.luminance(one), rules.luminance(other)].sort((a, b) => a - b);
    return (light + 0.05) / (dark + 0.05);
  },

  /** Text with too little contrast: 4.5 is asked, or 3 where it is large. */
  pale() {
    const theme = document.documentElement.dataset.theme;
    const known = new Map();
    return rules.texts().flatMap((element) => {
      const style = getComputedStyle(element);
      const { colour: background, opacity } = rules.ground(element, known);
      const [r, g, b, a] = rules.rgba(style.color);
      const ratio = rules.contrast(rules.over([r, g, b, a * opacity], background), background);
      const size = parseFloat(style.fontSize);
      const least = size >= 24 || (size >= 18.66 && style.fontWeight >= 700) ? 3 : 4.5;
      // What is transparent altogether is shown by hovering or focus, and is looked at there.
      return opacity > 0 && ratio < least
        ? [`${theme}: ${rules.named(element)} has a contrast of ${ratio.toFixed(2)}, not ${least}`]
        : [];
    });
  },

  // -- the keyboard

  /** What a person can operate, in the order of the page. */
  operable() {
    return rules
      .all("a[href], button, input, select, textarea, summary, [tabindex]")
      .filter((e) => !e.disabled && e.tabIndex >= 0);
  },

  scrollers() {
    return rules
      .all("body *")
      .filter((e) => rules.scrollsSideways(e) && e.scrollWidth > e.clientWidth + 1)
      .filter((e) => ![e, ...e.querySelectorAll("*")].some((part) => part.tabIndex >= 0))
      .map((e) => `${rules.named(e)} scrolls sideways and cannot be focused`);
  },

  looks(element) {
    const s = getComputedStyle(element);
    return [s.outlineStyle, s.outlineWidth, s.boxShadow, s.backgroundColor, s.textDecorationLine,
      s.textDecorationThickness, s.borderColor].join();
  },

  /** Remembers what the Tab key reaches from now on. */
  watchFocus() {
    rules.before = new Map(rules.operable().map((element) => [element, rules.looks(element)]));
    rules.reached = [];
    // The table of contents opens the part that is being read and closes the others.
    rules.closed = new Set();
    rules.plain = new Set();
    document.addEventListener("focusin", ({ target }) => {
      rules.reached.push(target);
      [...rules.before.keys()].filter((e) => !rules.shown(e)).forEach((e) => rules.closed.add(e));
      const clear = rules.above(target).every((e) => getComputedStyle(e).opacity > 0.5);
      if (!clear || rules.looks(target) === rules.before.get(target)) rules.plain.add(target);
    });
    document.activeElement.blur();
    return rules.before.size;
  },

  unreached() {
    const reached = new Set(rules.reached);
    const follows = (a, b) => a.compareDocumentPosition(b) & Node.DOCUMENT_POSITION_FOLLOWING;
    const first = rules.reached.slice(0, reached.size);
    const back = first.filter((e, i) => i && !follows(first[i - 1], e));
    return [
      ...[...rules.before.keys()].filter((e) => !reached.has(e) && !rules.closed.has(e) && rules.shown(e)).map((e) => `${rules.named(e)} is not reached`),
      ...back.map((e) => `${rules.named(e)} is out of order`),
      ...[...rules.plain].map((e) => `${rules.named(e)} does not show that it has the focus`),
    ];
  },

  // -- what a screen reader says first

  unsaid() {
    const heading = document.querySelector("h1")?.firstChild?.data?.trim();
    const mains = document.querySelectorAll("main").length;
    return [
      ...(document.documentElement.lang === "en" ? [] : ["the page does not say its language"]),
      ...(mains === 1 ? [] : [`${mains} main parts`]),
      ...(document.title.includes(heading) ? [] : [`the title is ${document.title}, not ${heading}`]),
    ];
  },
});

// No colour is on its way from one to the other when it is measured.
document.addEventListener("DOMContentLoaded", () => {
  const still = document.createElement("style");
  still.textContent = "* { transition: none !important; animation: none !important; }";
  document.head.append(still);
});
