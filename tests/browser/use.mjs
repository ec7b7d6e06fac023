// Uses a built site as a reader does, and says as JSON what happened.
// node use.mjs TOOLS CHROMIUM FOLDER WORDS LESSON
//
// The site is opened as files, and served below an address of several parts. WORDS are
// searched for; LESSON is a page with folds, such as notebooks/00_start_here.html.
import { createReadStream, statSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { extname, join, normalize } from "node:path";

const [tools, chromium, folder, words, lesson] = process.argv.slice(2);
const require = createRequire(`${tools}/`);
const browser = await require("playwright-core").chromium.launch({
  executablePath: chromium,
  args: ["--no-sandbox"],
});
const BASE = "/some/where/below/";
const TYPES = { ".html": "text/html", ".js": "text/javascript", ".css": "text/css" };
const bad = [];

const server = createServer((request, response) => {
  const path = decodeURIComponent(new URL(request.url, "http://localhost").pathname);
  const file = normalize(join(folder, path.slice(BASE.length)));
  const there = path.startsWith(BASE) && file.startsWith(folder);
  if (!there || !statSync(file, { throwIfNoEntry: false })?.isFile()) {
    if (!path.endsWith("/favicon.ico")) bad.push(path);
    return response.writeHead(404).end();
  }
  response.writeHead(200, { "Content-Type": TYPES[extname(file)] ?? "image/svg+xml" });
  createReadStream(file).pipe(response);
}).listen(0, "127.0.0.1");
await new Promise((ready) => server.once("listening", ready));

async function open(address) {
  const page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
  page.on("pageerror", (one) => bad.push(String(one)));
  page.on("console", (one) => one.type() === "error" && bad.push(one.text()));
  page.on("requestfailed", (one) => bad.push(one.url()));
  await page.goto(address);
  return page;
}

async function search(root) {
  const page = await open(`${root}index.html`);
  await page.keyboard.press("Control+k");
  await page.keyboard.type(words);
  await page.keyboard.press("Enter");
  const first = page.locator("#search-results li a").first();
  await first.waitFor({ timeout: 20000 });
  await page.waitForTimeout(500); // the rest of the list
  const found = await page.locator("#search-results ul.search > li > a").allTextContents();
  await first.click();
  await page.waitForLoadState();
  const landed = { title: await page.title(), address: page.url() };
  await page.close();
  return { found, landed };
}

// From fold to fold with the Tab key; Enter opens, Enter closes.
async function folds(root) {
  const page = await open(root + lesson);
  const first = page.locator("article details").first();
  const open_ = () => first.evaluate((one) => one.open);
  await first.locator("summary").evaluate((one) => one.focus());
  const before = await open_();
  await page.keyboard.press("Enter");
  const opened = await open_();
  const shown = await first.locator("p").first().isVisible();
  await page.keyboard.press("Enter");
  const closed = await open_();
  const reachable = await page.locator("article details summary").evaluateAll((all) =>
    all.every((one) => one.tabIndex === 0),
  );
  await page.close();
  return { before, opened, shown, closed, reachable };
}

// The system's choice at first, then the reader's own, which the next page keeps.
async function themes(root) {
  const page = await open(`${root}index.html`);
  const ground = async () => {
    await page.waitForTimeout(400); // colours fade in
    return page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  };
  const grounds = {};
  for (const name of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme: name });
    grounds[name] = await ground();
  }
  for (const name of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme: name === "light" ? "dark" : "light" });
    await page.locator("button.theme-switch-button").click();
    await page.locator(`button.theme-change-button[data-mode=${name}]`).click();
    await page.goto(root + lesson);
    grounds[`chosen ${name}`] = await ground();
  }
  await page.close();
  return grounds;
}

// On paper: light from a dark screen, nothing to click, code in full.
async function paper(root) {
  const page = await open(root + lesson);
  const theme = async () => {
    await page.waitForTimeout(400);
    return page.evaluate(() => document.documentElement.dataset.theme);
  };
  await page.emulateMedia({ colorScheme: "dark" });
  const themes = [await theme()];
  await page.emulateMedia({ media: "print", colorScheme: "dark" });
  themes.push(await theme());
  const hidden = [".bd-sidebar-primary", ".bd-header-article", ".prev-next-footer"];
  const seen = [];
  for (const one of hidden) if (await page.locator(one).isVisible()) seen.push(one);
  const wrap = await page
    .locator("article pre")
    .first()
    .evaluate((one) => getComputedStyle(one).whiteSpace);
  await page.emulateMedia({ media: "screen", colorScheme: "dark" });
  themes.push(await theme());
  const pages = (await page.pdf()).toString("latin1").match(/\/Type\s*\/Page\b/g).length;
  await page.close();
  return { seen, wrap, pages, themes };
}

const files = `file://${folder}/`;
const below = `http://127.0.0.1:${server.address().port}${BASE}`;
const used = {
  files: await search(files),
  below: await search(below),
  folds: await folds(files),
  themes: await themes(below),
  paper: await paper(files),
  bad,
};
console.log(JSON.stringify(used));
await browser.close();
server.close();
