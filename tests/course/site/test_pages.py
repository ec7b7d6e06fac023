"""The pages of a small site obey every rule, and every rule bites on a broken page."""

import re
import shutil
import subprocess

import pytest

import site_rules
from ptlearn.course.site import build, colab
from ptlearn.errors import CourseError
from ptlearn.files import REPOSITORY
from site_rules import RULES, pages, read

pytestmark = pytest.mark.slow

TOY = REPOSITORY / "tests" / "fixtures" / "99_toy.ipynb"
NAMES = [rule.__name__ for rule in RULES]


def test_a_small_site_obeys_every_rule(site):
    assert site_rules.faults_of_site(site) == []


# --- every rule bites -------------------------------------------------------

BREAKS = [
    ("no_foreign_address", "</head>", '<script src="https://cdn.org/a.js"></script>'),
    ("no_foreign_address", "</article>", '<a href="//elsewhere.org">there</a>'),
    ("no_foreign_address", "</head>", "<style>@import url(//fonts.org/a)</style>"),
    ("links_alive", "</article>", '<a href="98_gone.html">next</a>'),
    ("links_alive", "</article>", '<a href="98_run.html#no-such-place">there</a>'),
    ("links_alive", "</article>", '<a href="#no-such-place">below</a>'),
    ("links_alive", "</article>", '<a href="/index.html">start</a>'),
    ("links_alive", "</article>", '<a href="../../outside.html">out</a>'),
    ("no_link_to_a_notebook", "</article>", '<a href="98_run.ipynb">next</a>'),
    ("alt_texts", "</article>", '<img src="a.png">'),
    ("alt_texts", "</article>", '<img src="_images/9f8e.png" alt="_images/9f8e.png">'),
    ("folds_closed", "<details>", "<details open>"),
    ("folds_closed", "<summary>", "<summary></summary><summary>"),
    ("folds_closed", "</article>", "<details><summary>Hint</summary></details>"),
    ("formulas_marked", "</article>", "<p>$x_0$ is a place</p>"),
    ("formulas_marked", "</article>", '<span class="math">x_0</span>'),
    ("markdown_read", "</article>", "<p>[next](#there)</p>"),
    ("markdown_read", "</article>", "<p>a **bold** word</p>"),
    ("one_title", "</article>", "<h1>A second title</h1>"),
    ("language_named", 'lang="en"', ""),
    ("language_named", "</article>", "<p>伪标记</p>"),
]


@pytest.mark.parametrize(("rule", "old", "new"), BREAKS)
def test_rule_bites(rule, old, new, site, tmp_path):
    path = site / "notebooks" / "99_toy.html"
    text = path.read_text("utf-8")
    assert old in text
    new = new + old if old.startswith("</") else new
    broken = tmp_path / path.name
    broken.write_text(text.replace(old, new, 1), "utf-8")
    check = RULES[NAMES.index(rule)]
    assert check(read(broken), path, site) != []


def test_each_rule_has_a_page_that_breaks_it():
    assert {rule for rule, _, _ in BREAKS} == set(NAMES)


def test_a_style_sheet_that_loads_from_elsewhere_is_noticed():
    assert site_rules.foreign_loads("@font-face { src: url('//fonts.org/a.woff') }")
    assert not site_rules.foreign_loads("a { background: url(../images/a.svg) }")


# --- what the pages show ----------------------------------------------------


def test_a_figure_keeps_its_text_and_shows_it_as_a_caption(site):
    page = read(site / "notebooks" / "99_toy.html")
    alts = [image["alt"] for image in page.select("article img")]
    assert alts[0] == "A plain box that stands for a diagram."
    assert alts[1].startswith("A line through three points")
    assert page.select_one(".figure-caption").get_text() == alts[1]
    printed = [out.get_text() for out in page.select(".cell_output .stream")]
    assert not any(alts[1] in text for text in printed), "said once, not twice"


def test_lessons_lead_to_each_other_and_to_their_neighbours(site):
    start = read(site / "index.html")
    links = [a["href"] for a in start.select("article a[href$='.html']")]
    assert "notebooks/99_toy.html" in links
    run = read(site / "notebooks" / "98_run.html")
    assert run.select_one("a.right-next")["href"] == "99_toy.html"
    toy = read(site / "notebooks" / "99_toy.html")
    assert toy.select_one("a.left-prev")["href"] == "98_run.html"


def test_the_page_of_an_own_run_says_how_it_went(site):
    run = read(site / "notebooks" / "98_run.html").select_one("article")
    note = " ".join(run.select_one("blockquote").get_text().split())
    assert "2 of 2 claims held in this run." in note
    assert "It took 1.5 minutes." in note
    assert "MODEL = 'tiny'" in note
    link = run.select_one("blockquote a")["href"]
    assert run.find(id=link.removeprefix("#"))
    assert "An Exception was encountered" not in run.get_text()
    stored = read(site / "notebooks" / "99_toy.html").select_one("article")
    assert stored.select_one("blockquote") is None


def test_without_an_address_no_button_leads_out(site):
    assert not any("://" in a for path in pages(site) for a in hrefs(path))


def test_with_an_address_buttons_lead_to_it(tmp_path, monkeypatch):
    home = "https://github.com/owner/name"
    monkeypatch.setenv("PTLEARN_REPOSITORY", home)
    source = tmp_path / "source"
    shutil.copytree(TOY.parent, source / "notebooks")
    (source / "index.md").write_text("# A\n\n```{toctree}\nnotebooks/99_toy\n```\n")
    build.run_sphinx(source, tmp_path / "out")
    path = "notebooks/99_toy.ipynb"
    assert {a for a in hrefs(tmp_path / "out/notebooks/99_toy.html") if "//" in a} == {
        home,
        f"{home}/raw/main/{path}",
        colab.link(home) + "99_toy.ipynb",
        f"https://mybinder.org/v2/gh/owner/name/main?urlpath=lab/tree/{path}",
    }
    outside = {a for a in hrefs(tmp_path / "out/index.html") if "//" in a}
    assert outside == {home}, "no button for a notebook where there is none"


def hrefs(path):
    return [a["href"] for a in read(path).find_all("a", href=True)]


def test_formulas_are_drawn_by_a_file_of_the_site(site):
    start = read(site / "index.html")
    assert len(start.select("article .math")) == 2
    scripts = [s["src"] for s in start.find_all("script", src=True)]
    (drawer,) = [s for s in scripts if "tex-svg" in s]
    assert (site / re.sub(r"\?.*", "", drawer)).stat().st_size > 1_000_000


def test_the_search_knows_words_of_lessons_and_reference(site):
    index = (site / "searchindex.js").read_text("utf-8")
    for word in ("toy", "token", "claim"):
        assert f'"{word}":' in index or f"{word}:" in index, word


def test_the_glossary_has_a_place_for_each_word(site):
    words = read(site / "words.html")
    assert words.find(id="term-virtual-token")
    assert words.find("span", lang="zh").get_text() == "伪标记"


def test_a_warning_stops_the_build(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sphinx.py").write_text("print('not this one')")
    source = tmp_path / "source"
    source.mkdir()
    (source / "index.md").write_text("# A page\n\n[gone](07_gone.ipynb)\n")
    with pytest.raises(CourseError, match="07_gone.ipynb"):
        build.run_sphinx(source, tmp_path / "out")


def test_no_warning_stops_the_pages_of_a_learners_own_run(tmp_path, monkeypatch):
    commands = []

    def run(command, **options):
        commands.append(command)
        return subprocess.CompletedProcess(command, returncode=0)

    monkeypatch.setattr(subprocess, "run", run)
    for strict in (True, False):
        build.run_sphinx(tmp_path, tmp_path / "out", strict=strict)
    assert ["--fail-on-warning" in command for command in commands] == [True, False]
