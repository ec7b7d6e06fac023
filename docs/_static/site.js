// What can be moved sideways by the mouse must be reachable by the keyboard, too.
function reach() {
  const wide =
    ".cell_output .output, div.math, span.math, article table, article p:has(> img)";
  for (const one of document.querySelectorAll(wide)) {
    const box = one.matches("table") ? one.parentElement : one;
    const moves = box.scrollWidth > box.clientWidth;
    if (moves && getComputedStyle(box).overflowX !== "visible") box.tabIndex = 0;
  }
}

window.addEventListener("load", () => {
  const typeset = window.MathJax?.startup?.promise ?? Promise.resolve();
  typeset.then(reach);
});
window.addEventListener("resize", reach);
