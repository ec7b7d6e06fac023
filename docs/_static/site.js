// What can be moved sideways by the mouse must be reachable by the keyboard, too.
const WIDE = [
  ".cell_output .output",
  "div.math",
  "span.math",
  "mjx-container",
  "article table",
  "article p:has(> img)",
].join();

function reach() {
  for (const one of document.querySelectorAll(WIDE)) {
    const box = one.matches("table") ? one.parentElement : one;
    const moves = box.scrollWidth > box.clientWidth;
    if (moves && getComputedStyle(box).overflowX !== "visible") box.tabIndex = 0;
  }
}

// Two names that the theme leaves out: a fold without words beside a link of the
// sidebar, and a button whose spoken name lacks the words that it shows.
function name() {
  for (const fold of document.querySelectorAll(".bd-sidebar-primary summary")) {
    const link = fold.closest("li")?.querySelector("a")?.textContent.trim();
    fold.setAttribute("aria-label", `Pages below ${link}`);
  }
  for (const button of document.querySelectorAll(".search-button-field")) {
    button.removeAttribute("aria-label");
  }
}

// Paper is white, whatever the reader's screen is.
let onScreen;
matchMedia("print").addEventListener("change", ({ matches }) => {
  const root = document.documentElement.dataset;
  if (matches) onScreen = root.theme;
  root.theme = matches ? "light" : onScreen;
});

window.addEventListener("load", () => {
  name();
  const typeset = window.MathJax?.startup?.promise ?? Promise.resolve();
  typeset.then(reach);
});
window.addEventListener("resize", reach);
