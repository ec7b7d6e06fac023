"""What the tests in a browser need, and the reason where it is not there."""

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome")
PACKAGES = ("playwright-core", "axe-core")
SCRIPTS = Path(__file__).parent / "browser"


@dataclass(frozen=True)
class Browser:
    """Node, the folder with its packages, and Chromium."""

    node: str
    tools: Path
    chromium: str


def find_browser() -> Browser | str:
    """Return a browser, or why there is none.

    `make browser-test` brings what it can and names the folder in BROWSER_TOOLS.
    """
    tools = os.environ.get("BROWSER_TOOLS")
    if not tools:
        return "no browser: run `make browser-test`, which brings one"
    node, named = shutil.which("node"), os.environ.get("CHROMIUM")
    chromium = next(filter(None, map(shutil.which, [named] if named else NAMES)), None)
    there = {"node": node, "Chromium": chromium}
    there |= {n: Path(tools, "node_modules", n).is_dir() for n in PACKAGES}
    missing = [name for name, found in there.items() if not found]
    if missing:
        return f"no browser: {', '.join(missing)} missing after `make browser-test`"
    return Browser(node, Path(tools).resolve(), chromium)


def page_faults(one: dict) -> list[str]:
    """What is wrong with any page, in words: its requests, console and pictures."""
    foreign = [a for a in one["requests"] if not a.startswith(("file:", "data:"))]
    said = [f"asks another host: {address}" for address in foreign]
    said += [f"fails: {address}" for address in one["failed"]]
    said += [f"console: {message}" for message in one["console"]]
    for width, alt in one["pictures"]:
        said += [f"picture {alt!r} is empty"] * (not width)
    return said


def run_script(browser: Browser, name: str, *arguments: str, given: str = ""):
    """Return what one of the scripts in browser/ says of what it saw."""
    command = [browser.node, SCRIPTS / name, browser.tools, browser.chromium]
    done = subprocess.run(
        [*command, *arguments], input=given, capture_output=True, text=True, timeout=800
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
