// Goes through slides in Chromium and says, as JSON, what was seen there.
// node slides.mjs TOOLS CHROMIUM PAGE...
//
// PAGE is the address of one lesson's slides. One object a page comes out: requests and
// console messages, formulas, pictures, and of each slide how large it is.
import { createRequire } from "node:module";

const [tools, chromium, ...pages] = process.argv.slice(2);
const require = createRequire(`${tools}/`);
const browser = await require("playwright-core").chromium.launch({
  executablePath: chromium,
  args: ["--no-sandbox"], // in a container, Chromium as root has none
});

// Runs in the page: shows one slide after the other, as a teacher does.
const walk = () =>
  Reveal.getSlides().map((slide) => {
    const { h, v } = Reveal.getIndices(slide);
    Reveal.slide(h, v);
    return {
      title: (slide.querySelector("h1, h2")?.textContent ?? "").replace("¶", ""),
      height: slide.scrollHeight,
      width: slide.scrollWidth,
      shown: slide.classList.contains("present"),
      left: [...slide.textContent.matchAll(/\$[^$\n]{1,30}\$/g)].map((one) => one[0]),
    };
  });

const shape = () => ({
  size: [Reveal.getConfig().width, Reveal.getConfig().height],
  formulas: document.querySelectorAll(".slides mjx-container > svg").length,
  badFormulas: document.querySelectorAll(
    "[data-mml-node=merror], mjx-container [fill=red]",
  ).length,
  pictures: [...document.querySelectorAll(".slides img")].map((one) => [
    one.naturalWidth,
    one.alt,
  ]),
  notes: document.querySelectorAll("aside.notes").length,
});

async function look(address) {
  const seen = { page: address.split("/").pop(), requests: [], failed: [], console: [] };
  const page = await browser.newPage({ viewport: { width: 1280, height: 720 } });
  page.on("request", (one) => seen.requests.push(one.url()));
  page.on("requestfailed", (one) => seen.failed.push(one.url()));
  page.on("pageerror", (one) => seen.console.push(String(one)));
  page.on("console", (one) => {
    if (["error", "warning"].includes(one.type())) seen.console.push(one.text());
  });
  await page.goto(address, { waitUntil: "load" });
  await page.waitForFunction(() => window.Reveal?.isReady(), null, { timeout: 120000 });
  Object.assign(seen, await page.evaluate(shape));
  seen.slides = await page.evaluate(walk);
  // The right arrow leads on, as on a remote control.
  await page.evaluate(() => Reveal.slide(0, 0));
  await page.keyboard.press("ArrowRight");
  seen.second = await page.evaluate(() => Reveal.getIndices().h);
  await page.close();
  return seen;
}

const all = [];
for (const address of pages) all.push(await look(address));
console.log(JSON.stringify(all));
await browser.close();
