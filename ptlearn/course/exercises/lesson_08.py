"""The checks of lesson 08: other language models."""

import math

from ..expect import done, exercise, expect, require


@exercise
def ex08_1(told):
    """Check the search for facts that leak, in texts with traps."""
    facts = [
        {"subject": "Mira", "answer": "baker"},
        {"subject": "Tolan", "answer": "smith"},
        {"subject": "Rudi", "answer": "miller"},
        {"subject": "Nel", "answer": "potter"},
    ]
    texts = {
        "a wording that you have seen": (["Mira is a baker ."], [0]),
        "a wording that you have not seen": (
            ["ask the smith , he is Tolan .", "a potter ? yes : Nel ."],
            [1, 3],
        ),
        "subject and answer in two sentences": (
            ["Mira lives in Oakdale .", "the baker is old ."],
            [],
        ),
        "a name inside a longer word": (["Nelson is a potter .", "Rudi mills ."], []),
        "an answer inside a longer word": (["Tolan is a locksmith ."], []),
        "another person's trade": (["Tolan is a baker .", "Mira is a smith ."], []),
        "a fact that is told twice": (
            ["Rudi is a miller .", "the miller is called Rudi ."],
            [2],
        ),
        "no sentence at all": ([], []),
    }
    for tried, (text, want) in texts.items():
        found = done(told([dict(fact) for fact in facts], list(text)))
        require(isinstance(found, list), f"got a {type(found).__name__}, not a list.")
        numbers = [facts.index(fact) for fact in found if fact in facts]
        expect(f"{tried}: numbers of the facts that are told", numbers, want)
        expect(f"{tried}: facts in the list", len(found), len(want))


@exercise
def ex08_2(to_masked):
    """Check templates for a masked model, place by place."""
    from ...templates.language import Answer, Field, Template, Text, Virtual

    for text, after in (
        ("{subject} is a {answer}", 2),
        ("[V:3] {subject} [V:3] {answer}", 1),
        ("by trade [V:2] {subject} works as {answer}", 4),
        ("the home of {subject} is {answer}", 0),
    ):
        tried = f"to_masked({text!r}, {after})"
        written = done(to_masked(text, after))
        require(isinstance(written, str), f"{tried}: got a {type(written).__name__}.")
        pieces = list(Template(written).pieces)
        before = list(Template(text).pieces)
        place = pieces.index(Answer())
        require(
            pieces[: place + 1] == before,
            f"{tried}: what stands up to the answer has changed: {written!r}.",
        )
        rest = [p for p in pieces[place + 1 :] if not _is_space(p)]
        count = sum(p.count for p in rest if isinstance(p, Virtual))
        expect(f"{tried}: virtual tokens after the answer", count, after)
        last = rest[-1] if rest else Field("nothing")
        require(
            isinstance(last, Text) and last.text.strip() == ".",
            f"{tried}: the full stop is not the last: {written!r}.",
        )
        others = [p for p in rest[:-1] if not isinstance(p, Virtual)]
        require(not others, f"{tried}: something else stands there: {written!r}.")


def _is_space(piece) -> bool:
    return not getattr(piece, "text", "x").strip()


@exercise
def ex08_3(least_share):
    """Check the share of rows that must be known, on drawn scores."""
    import numpy as np

    rng = np.random.default_rng(8)
    for guess in rng.uniform(0, 0.6, size=4):
        for share in (0.0, 0.3, 0.8):
            score = share + (1 - share) * guess
            tried = f"P@1 {score:.3f}, guess {guess:.3f}"
            expect(tried, least_share(score, guess), share, tol=1e-6)
        tried = f"P@1 {guess / 2:.3f}, below the guess {guess:.3f}"
        expect(tried, least_share(guess / 2, guess), 0.0, tol=1e-9)


@exercise
def ex08_4(estimate_known):
    """Check the estimate of how many facts are known, on drawn hits of two prompts."""
    import numpy as np

    rng = np.random.default_rng(84)
    for known, chances in ((300, (0.6, 0.5)), (80, (0.9, 0.3)), (500, (0.2, 0.7))):
        rows = known + 200
        first, second = (
            np.r_[rng.random(known) < chance, np.zeros(rows - known, dtype=bool)]
            for chance in chances
        )
        order = rng.permutation(rows)
        first, second = first[order], second[order]
        want = first.sum() * second.sum() / (first & second).sum()
        tried = f"prompts that find {first.sum()} and {second.sum()} of {rows} facts"
        tried += f", {(first & second).sum()} of them both"
        got = done(estimate_known(first.copy(), second.copy()))
        expect(tried, float(got), float(want), tol=1e-6 * want)
        same = done(estimate_known(first.copy(), first.copy()))
        tried = f"two prompts that find the same {first.sum()} facts"
        expect(tried, float(same), float(first.sum()), tol=1e-6)
    apart = np.array([True, False, True, False])
    got = done(estimate_known(apart, ~apart))
    require(
        isinstance(got, int | float | np.number) and math.isinf(got) and got > 0,
        f"prompts that find no fact in common: got {got!r}. Two prompts that share "
        "nothing set no bound; say so with math.inf.",
    )
