"""What the tests in a browser need, and the reason where it is not there."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome")
PACKAGES = ("playwright-core", "axe-core")


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
