"""The slides in Chromium: whole, typeset, and without a network."""

from pathlib import Path

import pytest

from browser_tools import page_faults, run_script
from ptlearn.course.slides import build
from ptlearn.course.slides.choose import Slide

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def look(browser, *pages: Path) -> list[dict]:
    return run_script(browser, "slides.mjs", *(page.as_uri() for page in pages))


@pytest.fixture(scope="module")
def seen(browser, tmp_path_factory):
    """What was seen of every lesson's slides."""
    pages = build.build_slides(tmp_path_factory.mktemp("slides"))
    return look(browser, *pages)


def faults(seen: list[dict]) -> list[str]:
    """All that is wrong with slides, in words."""
    found = []
    for one in seen:
        said = page_faults(one)
        said += [f"{one['badFormulas']} bad formulas"] * (one["badFormulas"] > 0)
        said += ["a picture without words" for _, alt in one["pictures"] if not alt]
        wide, high = one["size"]
        for number, slide in enumerate(one["slides"], 1):
            where = f"slide {number}, {slide['title']!r}"
            said += [f"{where}: {slide['height']} high"] * (slide["height"] > high)
            said += [f"{where}: {slide['width']} wide"] * (slide["width"] > wide)
            said += [f"{where}: left as typed: {text}" for text in slide["left"]]
            said += [f"{where} is not shown"] * (not slide["shown"])
        found += [f"{one['page']}: {fault}" for fault in said]
    return found


def test_every_slide_is_whole_typeset_and_without_a_network(seen):
    assert faults(seen) == []


def test_there_was_something_to_be_seen(seen):
    assert len(seen) == 11
    assert sum(one["formulas"] for one in seen) > 100
    assert sum(len(one["pictures"]) for one in seen) > 50
    for one in seen:
        assert len(one["slides"]) > 15 and one["notes"] > 5, one["page"]
        assert one["second"] == 1, "the right arrow leads to the next slide"


def test_bad_slides_are_noticed(browser, tmp_path):
    build.place_files(tmp_path)
    bad = [
        Slide("Long", parts=["Much text.\n\n" * 40]),
        Slide("Wide", parts=["<div style='width: 1500px'>wide</div>"]),
        Slide("Wrong", parts=["$\\frac{1}$ and $x + \\unknown$"]),
        Slide("Foreign", parts=['<img alt="A cat." src="http://127.0.0.1:9/cat.png">']),
        Slide("Typed", parts=["`$a$` <span class='highlight'>$b$</span>"]),
    ]
    page = tmp_path / "bad.html"
    page.write_text(build.export(bad, tmp_path, "bad"), "utf-8")
    said = "\n".join(faults(look(browser, page)))
    for words in ("'Long': ", " high", "'Wide': ", " wide", "bad formulas", "as typed"):
        assert words in said, words
    assert "asks another host: http://127.0.0.1:9/cat.png" in said
