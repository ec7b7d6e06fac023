// Opens every page of a built site in Chromium and says, as JSON, what was seen there.
// node pages.mjs TOOLS CHROMIUM ADDRESS PAGE...
//
// TOOLS is the folder with node_modules, ADDRESS the site's, ending in a slash. One
// object a page comes out: requests and console messages, what axe-core found in light
// and in dark, how wide the page is on a narrow screen, folds and formulas.
import { createRequire } from "node:module";

const [tools, chromium, address, ...pages] = process.argv.slice(2);
const require = createRequire(`${tools}/`);
const browser = await require("playwright-core").chromium.launch({
  executablePath: chromium,
  args: ["--no-sandbox"], // in a container, Chromium as root has none
});
const axe = require.resolve("axe-core/axe.min.js");
const WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"];
const NARROW = { width: 360, height: 740 };

const settle = (page) =>
  page.evaluate(async () => {
    await window.MathJax?.startup?.promise;
    await document.fonts.ready;
    await new Promise((done) => setTimeout(done, 400)); // the theme waits, too
  });

async function violations(page, theme) {
  await page.evaluate((name) => {
    document.documentElement.dataset.mode = name;
    document.documentElement.dataset.theme = name;
  }, theme);
  await settle(page);
  const found = await page.evaluate((tags) => axe.run({ runOnly: tags, preload: false }), WCAG);
  return found.violations.map((one) => ({
    rule: one.id,
    nodes: one.nodes.length,
    first: one.nodes[0].html.slice(0, 200),
    why: one.nodes[0].failureSummary,
  }));
}

const shape = () => ({
  folds: document.querySelectorAll("article details").length,
  openFolds: document.querySelectorAll("article details[open]").length,
  formulas: document.querySelectorAll("article .math").length,
  typeset: document.querySelectorAll("article .math > mjx-container:has(svg)").length,
  // Not understood at all, or with a word that is unknown, which is drawn in red.
  badFormulas: [
    ...document.querySelectorAll("[data-mml-node=merror], mjx-container [fill=red]"),
  ].map((one) => one.closest("mjx-container").textContent || one.outerHTML.slice(0, 99)),
  // Read aloud by a screen reader; every formula drawn has them.
  spoken: document.querySelectorAll("article mjx-assistive-mml").length,
  pictures: [...document.querySelectorAll("article img")].map((one) => [
    one.naturalWidth,
    one.alt,
  ]),
});

async function look(name) {
  const seen = { page: name, requests: [], failed: [], console: [] };
  const page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
  page.on("request", (one) => seen.requests.push(one.url()));
  page.on("requestfailed", (one) => seen.failed.push(one.url()));
  page.on("response", (one) => one.status() >= 400 && seen.failed.push(one.url()));
  page.on("pageerror", (one) => seen.console.push(String(one)));
  page.on("console", (one) => {
    if (["error", "warning"].includes(one.type())) seen.console.push(one.text());
  });
  await page.emulateMedia({ reducedMotion: "reduce" }); // no colours on their way
  await page.goto(address + name, { waitUntil: "load" });
  await settle(page);
  Object.assign(seen, await page.evaluate(shape));
  await page.addScriptTag({ path: axe });
  seen.light = await violations(page, "light");
  seen.dark = await violations(page, "dark");
  await page.setViewportSize(NARROW);
  await settle(page);
  seen.narrow = await page.evaluate(() => document.documentElement.scrollWidth);
  seen.narrowAxe = await violations(page, "light");
  await page.close();
  return seen;
}

// Much of the time is waiting, so a few pages are open at once.
const all = [];
const left = [...pages];
const worker = async () => {
  while (left.length) all.push(await look(left.shift()));
};
await Promise.all([worker(), worker(), worker()]);
console.log(JSON.stringify(all));
await browser.close();
