"""The web edition in Chromium: drawn, found, reached and read by everyone.

`make browser-test` has just built build/site, and these look at its pages.
"""

import pytest

import site_rules
from browser_tools import find_browser, page_faults, run_script
from ptlearn.course.site import build, formulas

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
WORDS = "virtual token"


@pytest.fixture(scope="module")
def site(browser):
    """The folder of the whole site."""
    assert (build.OUT / "index.html").exists(), "make site"
    return build.OUT


@pytest.fixture(scope="module")
def seen(browser, site):
    """What was seen of every page."""
    names = [str(path.relative_to(site)) for path in site_rules.pages(site)]
    return run_script(browser, "pages.mjs", f"{site.as_uri()}/", *names)


@pytest.fixture(scope="module")
def used(browser, site):
    """What happened when the site was used."""
    lesson = "notebooks/00_start_here.html"
    return run_script(browser, "use.mjs", str(site), WORDS, lesson)


def faults(seen: list[dict]) -> list[str]:
    """All that is wrong with pages, in words."""
    found = []
    for one in seen:
        said = page_faults(one)
        said += [f"{one['openFolds']} folds are open"] * (one["openFolds"] > 0)
        said += [f"formula: {text}" for text in one["badFormulas"]]
        missing = one["formulas"] - min(one["typeset"], one["spoken"])
        said += [f"{missing} formulas are not drawn"] * (missing > 0)
        wide = one["narrow"] > 360
        said += [f"{one['narrow']} wide on a screen of 360"] * wide
        for where in ("light", "dark", "narrowAxe"):
            said += [
                f"{where}: {v['rule']} ({v['nodes']}): {v['first']}" for v in one[where]
            ]
        found += [f"{one['page']}: {fault}" for fault in said]
    return found


def test_every_page_is_without_fault(seen):
    assert faults(seen) == []


def test_formulas_pictures_and_folds_were_there_to_be_seen(seen):
    """An empty page would be without fault."""
    lessons = [one for one in seen if one["page"].startswith("notebooks/")]
    assert len(lessons) >= 7
    for one in lessons:
        assert one["folds"] >= 9, one["page"]
    assert sum(len(one["pictures"]) for one in lessons) > 20
    assert sum(one["formulas"] for one in lessons) > 100


def test_search_finds_as_files_and_below_an_address(used):
    for way in ("files", "below"):
        found = used[way]["found"]
        assert any(title.startswith("02 · Virtual tokens") for title in found)
        assert any("Glossary" in title for title in found)
        assert used[way]["landed"]["title"].startswith(found[0])


def test_folds_open_by_keyboard(used):
    folds = used["folds"]
    assert folds["before"] is False, "closed at first"
    assert folds["opened"] and folds["shown"]
    assert folds["closed"] is False
    assert folds["reachable"]


def test_the_ground_is_dark_where_the_reader_wants_it(used):
    grounds = used["themes"]
    assert grounds["light"] == grounds["chosen light"]
    assert grounds["dark"] == grounds["chosen dark"]
    assert grounds["light"] != grounds["dark"]


def test_paper_shows_text_and_code_in_full(used):
    assert used["paper"]["seen"] == []
    assert used["paper"]["themes"] == ["dark", "light", "dark"], "screen, paper, screen"
    assert used["paper"]["wrap"] == "pre-wrap"
    assert used["paper"]["pages"] > 3


def test_nothing_failed_on_the_way(used):
    assert used["bad"] == []


# --- the tests bite ---------------------------------------------------------

BAD = """<!doctype html><html lang="en"><head><title>Bad</title></head><body>
<article><h1>Bad</h1>
<details open><summary>Hint</summary>open</details>
<span class="math">$</span>
<span class="math">\\(\\frac{1}\\)</span>
<span class="math">\\(x + \\unknown\\)</span>
<script src="TYPESETTER"></script>
<img src="no-such-picture.png" alt="A picture that is not there.">
<img src="http://127.0.0.1:9/other-host.png">
<p style="color: #bbb; background: #fff">Too pale to be read.</p>
<div style="width: 900px">Too wide for a narrow screen.</div>
<script>throw new Error("a broken script")</script>
</article></body></html>"""


def test_a_bad_page_is_noticed(browser, tmp_path):
    bad = BAD.replace("TYPESETTER", formulas.typesetter().as_uri())
    (tmp_path / "bad.html").write_text(bad)
    said = "\n".join(
        faults(run_script(browser, "pages.mjs", f"{tmp_path.as_uri()}/", "bad.html"))
    )
    for words in [
        *("asks another host: http://127.0.0.1:9", "no-such-picture.png", "is empty"),
        *("a broken script", "1 folds are open", "1 formulas are not drawn"),
        *("formula: Missing argument for \\frac", "formula: x+\\unknown"),
        *("light: color-contrast", "image-alt", "wide on a screen of 360"),
    ]:
        assert words in said, words


def test_a_missing_browser_is_named(monkeypatch, tmp_path):
    monkeypatch.delenv("BROWSER_TOOLS", raising=False)
    assert find_browser() == "no browser: run `make browser-test`, which brings one"
    monkeypatch.setenv("BROWSER_TOOLS", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CHROMIUM", raising=False)
    assert "no browser: node, Chromium, playwright-core, axe-core" in find_browser()
