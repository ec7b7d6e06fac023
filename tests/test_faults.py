"""Short versions of ``make faults``, and the program's own book-keeping."""

import shutil

import pytest
from faults import record as book
from faults.__main__ import run_row
from faults.catalogue import ROWS
from faults.outcome import Outcome, Row, one

# The others have tests of their own beside what they harm, or run whole lessons.
SHORT = [
    *("train-together", "save", "full-disk", "read-only"),
    *("bits-model", "bits-prompt", "bits-checkpoint", "bits-rows"),
    *("templates", "tables", "odd-rows"),
]
LINUX = {"full-disk", "read-only"}
FOLDER = book.HERE / "faults"
BY_NAME = {row.name: row for row in ROWS}


@pytest.mark.slow
@pytest.mark.parametrize("name", SHORT)
def test_a_share_of_each_row_holds(name, tmp_path):
    if name in LINUX and not shutil.which("unshare"):
        pytest.skip("namespaces are Linux's")
    row = BY_NAME[name]
    outcomes = list(row.outcomes(row.short, tmp_path))
    assert sum((outcome.fell for outcome in outcomes), []) == []
    assert sum(outcome.tried for outcome in outcomes) >= 5


class Counted(Row):
    """A row whose odd numbers fall."""

    def outcomes(self, numbers, folder):
        for number in numbers:
            assert folder.is_dir()
            outcome = Outcome(measured={"peak": number})
            outcome.add("even" if number % 2 == 0 else "", "odd" if number % 2 else "")
            yield outcome


ROW = Counted("counted", "numbers", "are even", "", 7, range(2))


@pytest.fixture
def record(tmp_path):
    record = book.Record(tmp_path / "faults.json")
    record.begin(ROW)
    return record


def test_a_row_goes_on_where_it_was(record):
    run_row(ROW, record, 3, 60)
    entry = book.Record(record.path).rows["counted"]
    assert (entry["tried"], entry["held"], entry["done"]) == (3, 2, False)
    again = book.Record(record.path)
    again.begin(ROW)
    run_row(ROW, again, 7, 60)
    entry = book.Record(record.path).rows["counted"]
    assert (entry["tried"], entry["held"], entry["done"]) == (7, 4, True)
    assert (entry["kinds"], entry["measured"]) == ({"even": 4}, {"peak": 6})
    assert entry["fell"] == ["odd"] * 3


class Three(Row):
    """A row that ends by itself."""

    def outcomes(self, numbers, folder):
        yield from (one("here") for number in range(3) if number in numbers)


def test_a_row_without_a_number_is_done_when_its_trial_ends(record):
    run_row(Three("counted", "numbers", "end", "", None, range(2)), record, None, 60)
    assert record.rows["counted"]["done"] and record.rows["counted"]["tried"] == 3


def test_every_row_can_be_tried():
    for row in ROWS:
        module, _, name = row.trial.rpartition(".")
        assert f"def {name}(numbers: range" in (FOLDER / f"{module}.py").read_text()


def test_programs_that_try_different_rows_may_share_a_file(record):
    other = book.Record(record.path)
    rows = [ROW, Counted("another", "numbers", "are even", "", 2, range(1))]
    other.begin(rows[1])
    run_row(rows[0], record, 1, 60)
    run_row(rows[1], other, 2, 60)
    assert set(book.Record(record.path).rows) == {"counted", "another"}


def test_time_that_is_up_ends_a_piece(record):
    run_row(ROW, record, 7, -1)
    assert record.rows["counted"]["tried"] == 1 and not record.rows["counted"]["done"]


def test_the_table_says_what_was_tried_and_what_fell(record, tmp_path):
    run_row(ROW, record, 3, 60)
    readme = tmp_path / "README.md"
    readme.write_text(f"before\n{book.BEGIN}\nstale\n{book.END}\nafter\n")
    other = Row("never", "nothing", "holds", "", 5, range(1))
    book.write_table(record, [ROW, other], readme)
    text = readme.read_text()
    assert text.startswith("before\n") and text.endswith("\nafter\n")
    assert "| `counted` | numbers | are even | 3 of 7 | 2 | 2 even, peak 2 |" in text
    assert "| `never` | nothing | holds | 0 | | not run | | |" in text
    assert "stale" not in text and "- `counted`: odd" in text


def test_the_readme_shows_the_results_that_are_stored():
    assert book.table(book.Record(), ROWS) in book.README.read_text(encoding="utf-8")
