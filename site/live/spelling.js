// @ts-check
// Spelling: what a cell that has read letters expects next. Without a page, so that Node runs it, too.
//
//   const after = rnncells.spell(cell, "joh"); // scores after "", "j", "jo", "joh"
//   rnncells.softmax(after[3])[0]              // the probability of the end; [1] to [26]: of a to z
"use strict";

(function (rnncells) {
  const CODES = 28; // padding, boundary, a to z, as in rnncells/book/words.py
  const BOUNDARY = 1; // before the first letter, and after the last
  const LONGEST = 13; // letters
  const PLACES = ["end", ..."abcdefghijklmnopqrstuvwxyz"]; // of a score

  /** @param {number} code */
  const oneHot = (code) => Float64Array.from({ length: CODES }, (_, k) => Number(k === code));

  /** The 27 scores of what comes next, before the first letter and after each; none of padding.
   * @param {any} cell @param {string} name of a to z @returns {Float64Array[]} */
  function spell(cell, name) {
    const codes = [BOUNDARY, ...Array.from(name, (letter) => BOUNDARY + PLACES.indexOf(letter))];
    return rnncells
      .read(cell, codes.map(oneHot))
      .map((/** @type {any} */ { scores }) => scores.slice(BOUNDARY));
  }

  /** Probabilities at a temperature: above 1 more even, below 1 more decided.
   * @param {Float64Array} scores @param {number} temperature @returns {number[]} */
  const tempered = (scores, temperature) => rnncells.softmax(scores.map((score) => score / temperature));

  /** The place into whose share a number from 0 to 1 falls. @param {number[]} shares @param {number} u */
  function drawn(shares, u) {
    let sum = 0;
    const place = shares.findIndex((share) => u < (sum += share));
    return place < 0 ? shares.length - 1 : place; // the sum is a little less than 1
  }

  /** Goes on with a name, letter by letter, to its end or to as many letters as the cell knows.
   * @param {any} cell @param {string} name @param {number} temperature
   * @param {() => number} random a number from 0 to 1 at each call */
  function write(cell, name, temperature, random) {
    for (;;) {
      const scores = spell(cell, name)[name.length];
      const place = drawn(tempered(scores, temperature), random());
      if (place === 0) return { name, ended: true };
      if (name.length >= LONGEST) return { name, ended: false };
      name += PLACES[place];
    }
  }

  Object.assign(rnncells, { PLACES, LONGEST, spell, tempered, write });
})(/** @type {any} */ (globalThis).rnncells);
