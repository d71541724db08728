// What scrolls sideways is reached by the keyboard. The theme sees to code, this to all else.
"use strict";

const reach = () => {
  for (const part of document.querySelectorAll(".bd-article :is(table, div.math, div.cell_output)")) {
    if (part.scrollWidth > part.clientWidth) part.tabIndex = 0;
    else part.removeAttribute("tabindex");
  }
};

addEventListener("load", async () => {
  await window.MathJax?.startup?.promise;
  reach();
});
addEventListener("resize", reach);
addEventListener("toggle", reach, true); // a folded cell was opened
