"""Where the repository is published, and the buttons that lead there.

The address is ``Repository`` under ``[project.urls]`` in pyproject.toml, unless the
environment variable ``PTLEARN_REPOSITORY`` names another. Where there is none, the
pages have no buttons that lead out of them.
"""

import os
import re
import tomllib
from pathlib import Path

from ...errors import CourseError
from ...files import REPOSITORY

BRANCH = "main"
BINDER = "https://mybinder.org"


def repository(project: Path = REPOSITORY / "pyproject.toml") -> str | None:
    """Return the repository's address, such as ``https://HOST/OWNER/NAME``, or None.

    Raises
    ------
    CourseError
        If it does not look like one.
    """
    address = os.environ.get("PTLEARN_REPOSITORY") or _configured(project)
    if address and not re.fullmatch(r"https://[\w.-]+/[\w.-]+/[\w.-]+", address):
        raise CourseError(
            f"{address!r} is not a repository's address. It looks like this: "
            "https://HOST/OWNER/NAME, without anything after the name."
        )
    return address or None


def theme_options() -> dict:
    """Return the theme's options: what the pages look like, and their buttons."""
    options = {
        "show_navbar_depth": 1,
        "use_download_button": False,  # ours, beside the others, leads to the notebook
        "use_fullscreen_button": False,
        "show_toc_level": 2,
        "extra_footer": "Code: Apache License 2.0. Prose and pictures: CC BY 4.0.",
        "navbar_persistent": [],  # one search field is enough, and it is in the sidebar
    }
    address = repository()
    if address is None:
        return options
    return options | {
        "repository_url": address,
        "repository_branch": BRANCH,
        "use_repository_button": True,
        # Colab's button is ours, too: it opens a copy of the lesson.
        "launch_buttons": {
            "notebook_interface": "jupyterlab",
            "binderhub_url": BINDER,
        },
    }


def notebook_button(path: str) -> dict | None:
    """Return the theme's button that downloads a file of the repository, or None."""
    address = repository()
    if address is None:
        return None
    raw = "raw" if address.startswith("https://github.com/") else "-/raw"
    return {
        "type": "link",
        "url": f"{address}/{raw}/{BRANCH}/{path}",
        "icon": "fas fa-download",
        "text": "",
        "tooltip": "Download this notebook",
        "label": "download-notebook-button",
    }


def _configured(project: Path) -> str:
    urls = tomllib.loads(project.read_text(encoding="utf-8"))["project"].get("urls", {})
    return urls.get("Repository", "")
