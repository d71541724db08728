// Runs one question in Node: node node.js QUESTION FILE..., the answer as JSON on stdout.
"use strict";

const { readFileSync } = require("node:fs");
const path = require("node:path");
const { compare } = require("./compare.js");

const LIVE = path.join(__dirname, "..", "..", "site", "live");
const text = (name) => readFileSync(path.join(LIVE, name), "utf8");

/** What the scripts make of a world of their own; a vm's context would take fifty times as long. */
function world(...scripts) {
  const own = {};
  for (const script of scripts) new Function("globalThis", "module", script)(own);
  return own.rnncells;
}

function numbers(file) {
  const { buffer, byteOffset, byteLength } = readFileSync(file);
  return new Float64Array(buffer.slice(byteOffset, byteOffset + byteLength));
}

/** The cases that Python wrote: {kind, count, cell, given, expected}. */
const cases = (file) =>
  JSON.parse(readFileSync(file)).map((each) => ({
    ...each,
    given: numbers(each.given),
    expected: numbers(each.expected),
  }));

const questions = {
  equality(file) {
    const rnncells = world(text("cells.js"));
    return cases(file).map((each) => ({
      kind: each.cell.kind,
      found: compare(rnncells, each.cell, each.count, each.given, each.expected),
    }));
  },

  /** For each mutant whether a number moved, or what it raised. */
  mutants(file, mutants) {
    const known = cases(file);
    return JSON.parse(readFileSync(mutants)).map((source) => {
      try {
        const rnncells = world(source);
        const found = known.flatMap((each) =>
          Object.values(compare(rnncells, each.cell, each.count, each.given, each.expected)),
        );
        return found.every((difference) => difference <= 1e-6) ? "alive" : "killed";
      } catch (error) {
        return `killed: ${error.message}`;
      }
    });
  },

  /** What the cells answer to given calls: [cell, picture, meddling] to the scores of all rows. */
  meddling(file) {
    const rnncells = world(text("cells.js"));
    return JSON.parse(readFileSync(file)).map(({ cell, picture, meddling }) =>
      rnncells.read(cell, picture, meddling).map((row) => Array.from(row.scores)),
    );
  },

  /** Drawings, bytes of height by width, as pictures, and what each shipped cell takes them for. */
  drawings(file, header) {
    const { height, width, count } = JSON.parse(readFileSync(header));
    const kinds = ["simple", "lstm", "gru"];
    const scripts = ["cells.js", "drawing.js", ...kinds.map((kind) => `weights-${kind}.js`)];
    const rnncells = world(...scripts.map(text));
    const cells = kinds.map((kind) => rnncells.unpack(rnncells.weights[kind]));
    const bytes = readFileSync(file);
    const pictures = [];
    const answers = kinds.map(() => []);
    for (let n = 0; n < count; n++) {
      const row = (r) =>
        Array.from(bytes.subarray((n * height + r) * width, (n * height + r + 1) * width), (v) => v / 255);
      const picture = rnncells.centred(Array.from({ length: height }, (_, r) => row(r)));
      if (n < 20) pictures.push(picture.map((line) => Array.from(line)));
      cells.forEach((cell, k) => {
        const scores = Array.from(rnncells.read(cell, picture)[27].scores);
        answers[k].push(scores.indexOf(Math.max(...scores)));
      });
    }
    return { pictures, answers: Object.fromEntries(kinds.map((kind, k) => [kind, answers[k]])) };
  },

  /** For each spelling.js what comes next in names, as probabilities, and the names that it writes. */
  spelling(file, sources) {
    const { names, calls } = JSON.parse(readFileSync(file));
    return JSON.parse(readFileSync(sources)).map((source) => {
      const rnncells = world(text("cells.js"), source, text("weights-letters.js"));
      const cell = rnncells.unpack(rnncells.weights.letters);
      return {
        shares: names.map((name) => rnncells.spell(cell, name).map((scores) => rnncells.softmax(scores))),
        written: calls.map(({ name, temperature, random }) => {
          const left = [...random];
          return rnncells.write(cell, name, temperature, () => left.shift() ?? 0);
        }),
      };
    });
  },

  /** Strokes as ink and as a picture. */
  strokes(file) {
    const rnncells = world(text("cells.js"), text("drawing.js"));
    const strokes = JSON.parse(readFileSync(file));
    return rnncells.centred(rnncells.inked(strokes)).map((row) => Array.from(row));
  },
};

const [question, ...files] = process.argv.slice(2);
process.stdout.write(JSON.stringify(questions[question](...files)));
