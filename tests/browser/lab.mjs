// Works in a lesson as a learner does, in JupyterLab, and says as JSON what was seen.
// node lab.mjs TOOLS CHROMIUM ADDRESS NOTEBOOK < STEPS
//
// ADDRESS is the server's. STEPS, as JSON, come after all cells were run: each names a
// cell by its id. "text" is written into it first; "interrupt" is a pattern: when the
// output shows it, the stop button is pressed. Then the notebook is saved.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const [tools, chromium, address, notebook] = process.argv.slice(2);
const steps = JSON.parse(readFileSync(0, "utf8"));
const require = createRequire(`${tools}/`);
const browser = await require("playwright-core").chromium.launch({
  executablePath: chromium,
  args: ["--no-sandbox"], // in a container, Chromium as root has none
});
const PATIENCE = 240_000; // ms; the machine may be busy with other things
const page = await browser.newPage({ viewport: { width: 1400, height: 900 } });
page.setDefaultTimeout(PATIENCE);
const seen = { bad: [], requests: [], steps: [] };
page.on("request", (one) => seen.requests.push(one.url()));
page.on("websocket", (one) => seen.requests.push(one.url()));
page.on("pageerror", (one) => seen.bad.push(`page: ${one}`));
page.on("requestfailed", (one) => seen.bad.push(`fails: ${one.url()}`));
page.on("response", (one) => {
  if (one.status() >= 400) seen.bad.push(`${one.status()}: ${one.url()}`);
});
page.on("console", (one) => {
  if (one.type() === "error") seen.bad.push(`console: ${one.text()}`);
});

// In the page: a code cell's number as it is shown, and what is below it.
await page.addInitScript(() => {
  window.lab = {
    panel: () => window.jupyterapp?.shell.currentWidget,
    kernel: () => window.lab.panel()?.sessionContext?.session?.kernel?.status,
    cell: (id) => window.lab.panel().content.widgets.find((one) => one.model.id === id),
    number: (one) => one.node.querySelector(".jp-InputPrompt").textContent.trim(),
    output: (one) => one.node.querySelector(".jp-Cell-outputArea")?.innerText ?? "",
    numbers: () =>
      window.lab
        .panel()
        .content.widgets.filter((one) => one.model.type === "code")
        .map(window.lab.number),
    // Nothing waits or runs, and something has run.
    done: () =>
      window.lab.kernel() === "idle" &&
      !window.lab.numbers().includes("[*]:") &&
      window.lab.numbers().some((one) => /\d/.test(one)),
  };
});
// The two buttons of the notebook's own toolbar.
const press = (name) =>
  page.locator(`.jp-NotebookPanel-toolbar [data-command="notebook:${name}"]`).click();
const done = () => page.waitForFunction(() => window.lab.done());

async function write(id, text) {
  await page.keyboard.press("Control+a");
  await page.keyboard.insertText(text);
  const written = await page.evaluate(
    (name) => window.lab.cell(name).model.sharedModel.getSource(),
    id,
  );
  if (written !== text) throw new Error(`${id} reads ${written}, not ${text}`);
}

async function take({ id, text, interrupt }) {
  const cell = await page.evaluateHandle((name) => window.lab.cell(name), id);
  const node = await page.evaluateHandle((one) => one.node, cell);
  await node.scrollIntoViewIfNeeded();
  await (await node.$(".cm-content")).click();
  if (text) await write(id, text);
  const before = await page.evaluate((one) => window.lab.number(one), cell);
  await page.keyboard.press("Shift+Enter");
  if (interrupt) {
    const shows = ([one, words]) => new RegExp(words).test(window.lab.output(one));
    await page.waitForFunction(shows, [cell, interrupt]);
    await press("interrupt-kernel");
  }
  const ran = ([one, old]) => window.lab.number(one) !== old && window.lab.done();
  await page.waitForFunction(ran, [cell, before]);
  seen.steps.push(await page.evaluate((one) => window.lab.output(one), cell));
}

await page.goto(`${address}lab/tree/${notebook}?reset`);
// The dot beside the kernel's name says idle before there is a kernel.
await page.waitForFunction(() => window.lab.kernel() === "idle");
await press("restart-run-all");
await page.locator(".jp-Dialog button.jp-mod-accept").click();
await done();
seen.numbers = await page.evaluate(() => window.lab.numbers());
for (const step of steps) await take(step);
await page.keyboard.press("Control+s");
await page.waitForFunction(() => !window.lab.panel().context.model.dirty);
await browser.close();
console.log(JSON.stringify(seen));
