"""Rules for the pages of the web edition, one small function each.

A rule takes a parsed page, its path and the site's folder, and gives a list of faults
in words; an empty list is a pass. tests/course/site/test_pages.py applies every rule to
a small site, and to a page that breaks it; a slow test applies all to the whole site.
"""

import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

from bs4 import BeautifulSoup, NavigableString

FOREIGN = re.compile(r"(?:https?:)?//", re.IGNORECASE)
LINKED = {"href", "src", "srcset", "data-src", "poster", "action"}


def read(path: Path) -> BeautifulSoup:
    return BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")


def pages(site: Path) -> list[Path]:
    """The pages of a site, without the theme's parts of pages."""
    return sorted(p for p in site.rglob("*.html") if "_static" not in p.parts)


def addresses(page: BeautifulSoup) -> list[str]:
    """All that a page links to or loads."""
    tags = page.find_all(lambda tag: LINKED & set(tag.attrs))
    return [tag[name] for tag in tags for name in LINKED & set(tag.attrs)]


def no_foreign_address(page, path, site):
    faults = [f"leads to {a}" for a in addresses(page) if FOREIGN.match(a)]
    styles = [tag.get_text() for tag in page.find_all("style")]
    return faults + [f"a style loads {a}" for a in foreign_loads(" ".join(styles))]


def links_alive(page, path, site):
    """Files and anchors are there, and the site works below any address."""
    faults = []
    for address in addresses(page):
        parts = urlsplit(address)
        if parts.scheme or parts.netloc or not (parts.path or parts.fragment):
            continue
        if parts.path.startswith("/"):
            faults.append(f"{address} only works at the top of a host")
            continue
        target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
        if not target.is_relative_to(site.resolve()) or not target.is_file():
            faults.append(f"{address}: no such file")
        elif parts.fragment and unquote(parts.fragment) not in anchors(target):
            faults.append(f"{address}: no such place on the page")
    return faults


def anchors(path: Path) -> set[str]:
    """Every place of a page that a link can name; kept, since many links ask."""
    key = (path, path.stat().st_mtime_ns)
    if key not in _anchors:
        page = (
            read(path) if path.suffix == ".html" else BeautifulSoup("", "html.parser")
        )
        _anchors[key] = {tag["id"] for tag in page.find_all(id=True)}
        _anchors[key] |= {
            tag["name"] for tag in page.find_all("a", attrs={"name": True})
        }
    return _anchors[key]


_anchors: dict = {}


def no_link_to_a_notebook(page, path, site):
    """A link between lessons leads to a page, not to a file."""
    found = [a for a in addresses(page) if re.search(r"\.(ipynb|md|rst)(#|$)", a)]
    return [f"{a} is no page" for a in found if not FOREIGN.match(a)]


def alt_texts(page, path, site):
    faults = []
    for image in page.select("article img"):
        alt = image.get("alt", "").strip()
        name = Path(urlsplit(image["src"]).path).stem
        if len(alt.split()) < 3 or name in alt:
            faults.append(f"{image['src']}: alternative text {alt!r}")
    return faults


def folds_closed(page, path, site):
    faults = []
    for fold in page.select("article details"):
        summary = fold.find(True)
        if fold.has_attr("open"):
            faults.append("a fold is open at first")
        if (
            summary is None
            or summary.name != "summary"
            or not summary.get_text(strip=True)
        ):
            faults.append("a fold has no summary to open it by")
        elif not fold.get_text(strip=True).removeprefix(summary.get_text(strip=True)):
            faults.append(f"nothing is in the fold {summary.get_text(strip=True)!r}")
    return faults


def formulas_marked(page, path, site):
    """Every formula is handed to the typesetter, and none is left as it was typed."""
    faults = [
        f"not typeset: {formula.get_text()[:40]!r}"
        for formula in page.select("article .math")
        if not re.match(r"\s*\\[(\[]", formula.get_text())
    ]
    return faults + [
        f"left as typed: {hit!r}"
        for text in prose(page)
        for hit in re.findall(r"\$[^$\n]{0,30}", text)
    ]


def markdown_read(page, path, site):
    marks = r"\]\([\w./#-]+\)|\*\*\w[^*]*\*\*|^\s*\|[ :-]+\||```|:::"
    return [
        f"left as typed: {hit!r}"
        for text in prose(page)
        for hit in re.findall(marks, text, re.MULTILINE)
    ]


def prose(page: BeautifulSoup) -> list[NavigableString]:
    """The texts of a page that are neither code nor a formula nor printed by a cell."""
    apart = {"pre", "code", "script", "style", "samp"}
    return [
        text
        for text in page.select_one("article").find_all(string=True)
        if not any(
            p.name in apart or "math" in p.get("class", []) for p in text.parents
        )
        and not text.find_parent(class_="dataframe")
    ]


def one_title(page, path, site):
    number = len(page.select("article h1"))
    return [] if number == 1 else [f"{number} titles"]


def language_named(page, path, site):
    faults = [] if page.html.get("lang") == "en" else ["the page names no language"]
    return faults + [
        f"Chinese that is not marked as such: {text[:20]!r}"
        for text in prose(page)
        if re.search("[\u4e00-\u9fff]", text)
        and not text.find_parent(attrs={"lang": "zh"})
        and not text.find_parent(re.compile("^h[1-6]$"))
    ]


RULES = [
    no_foreign_address, links_alive, no_link_to_a_notebook, alt_texts, folds_closed,
    formulas_marked, markdown_read, one_title, language_named,
]  # fmt: skip


def faults_of_site(site: Path) -> list[str]:
    """All faults of all pages, and of the style sheets that they load."""
    found = []
    for path in pages(site):
        page = read(path)
        rules = RULES if generated(path) else RULES[:2]
        for rule in rules:
            found += [f"{path.relative_to(site)}: {f}" for f in rule(page, path, site)]
    for sheet in site.rglob("*.css"):
        found += [f"{sheet.name}: loads {a}" for a in foreign_loads(sheet.read_text())]
    return found


def generated(path: Path) -> bool:
    """Not one of Sphinx's own pages: its index and its search."""
    return path.name not in ("genindex.html", "search.html", "py-modindex.html")


def foreign_loads(style: str) -> list[str]:
    return re.findall(r"(?:url\(|@import)\s*['\"]?((?:https?:)?//[^)'\"]+)", style)
