"""A small world of invented people, towns and trades, and the sentences about it.

Who has which trade and lives where is drawn by a seed. A *known* fact stands in the
sentences, in three of its relation's four wordings. A *hidden* fact stands in none:
nobody who has read all sentences can know it, only guess it.
"""

import itertools
import json
import random
from collections import Counter

SEED = 2021
PEOPLE = 600
HIDDEN = 200  # people whose trade stands nowhere; as many others whose home does
TEST = {True: 150, False: 100}  # of the known and of the hidden facts of a relation
DEV = {True: 50, False: 0}
WORDINGS_OF_A_FACT = 3

WORDINGS = {
    "trade": (
        "{subject} is a {answer} .",
        "{subject} works as a {answer} .",
        "by trade {subject} is a {answer} .",
        "the {answer} is called {subject} .",
    ),
    "home": (
        "{subject} lives in {answer} .",
        "the home of {subject} is {answer} .",
        "{subject} comes from {answer} .",
        "in {answer} lives {subject} .",
    ),
}
"""How a fact may stand in the text; in the last wording the answer comes first."""

TRADES = {
    "farmer": 26,
    "baker": 16,
    "fisher": 12,
    "weaver": 10,
    "miller": 8,
    "smith": 7,
    "tailor": 5,
    "carpenter": 4,
    "potter": 4,
    "teacher": 3,
    "doctor": 3,
    "mason": 2,
}
"""How often, in percent, each trade is drawn: a majority is worth guessing."""

GOODS = {
    "farmer": "wheat",
    "baker": "bread",
    "fisher": "fish",
    "weaver": "cloth",
    "miller": "flour",
    "smith": "nails",
    "tailor": "coats",
    "carpenter": "tables",
    "potter": "bowls",
    "teacher": "lessons",
    "doctor": "pills",
    "mason": "walls",
}

TOWNS = (
    *("Ashford", "Birkholm", "Castelo", "Dunmore", "Eastwick", "Fairview"),
    *("Greyport", "Hillton", "Inverlee", "Juniper", "Kingsway", "Lowmarsh"),
    *("Millbrook", "Northam", "Oakdale", "Pinecrest"),
)

GENERAL = (
    "the job of a {trade} is to make {goods} .",
    "people in {town} buy {goods} from a {trade} .",
    "a living as a {trade} is good in {town} .",
    "the town of {town} makes {goods} .",
)
"""Sentences about no person. They bring words that no wording of a fact has."""


def people(generator):
    """Invented names, each one word; no name says anything about its owner."""
    starts, middles = (
        ["B", "D", "F", "G", "K", "L", "M", "N", "P", "R", "S", "T", "V", "Z"],
        ["a", "e", "i", "o", "u"],
    )
    joints, ends = (
        ["l", "m", "n", "r", "s", "t", "v"],
        ["a", "an", "el", "en", "i", "in", "is", "o", "or", "us"],
    )
    names = map("".join, itertools.product(starts, middles, joints, ends))
    return generator.sample(sorted(names), PEOPLE)


def facts():
    """Return every fact of the world as a dict, the known and the hidden ones.

    Keys: relation, subject, answer, known, split, wordings (numbers of those in which
    it stands in the text; none for a hidden fact).
    """
    generator = random.Random(SEED)
    names = people(generator)
    answers = {
        "trade": generator.choices(list(TRADES), TRADES.values(), k=PEOPLE),
        "home": generator.choices(TOWNS, range(len(TOWNS), 0, -1), k=PEOPLE),
    }
    hidden = {
        "trade": set(names[:HIDDEN]),
        "home": set(names[HIDDEN : 2 * HIDDEN]),
    }
    found = []
    for relation in WORDINGS:
        rows = []
        for name, answer in zip(names, answers[relation], strict=True):
            known = name not in hidden[relation]
            drawn = generator.sample(range(4), WORDINGS_OF_A_FACT if known else 0)
            fact = {"relation": relation, "subject": name, "answer": answer}
            rows.append(fact | {"known": known, "wordings": sorted(drawn)})
        generator.shuffle(rows)
        for known in (True, False):
            same = [row for row in rows if row["known"] == known]
            for place, row in enumerate(same):
                row["split"] = _split(place, known)
            found += same
    return found


def _split(place, known):
    if place < TEST[known]:
        return "test"
    return "dev" if place < TEST[known] + DEV[known] else "train"


def sentences(all_facts):
    """Return every sentence of the text, in an order drawn by the seed."""
    generator = random.Random(SEED + 1)
    text = [
        WORDINGS[fact["relation"]][number].format(**fact)
        for fact in all_facts
        for number in fact["wordings"]
    ]
    for number, (trade, goods) in enumerate(GOODS.items()):
        for wording, town in itertools.product(GENERAL, TOWNS[number % 4 :: 4]):
            text.append(wording.format(trade=trade, goods=goods, town=town))
    text = list(dict.fromkeys(text))
    generator.shuffle(text)
    return text


def words(text):
    """Return the words of the sentences, the commonest first."""
    counts = Counter(itertools.chain.from_iterable(map(str.split, text)))
    return sorted(counts, key=lambda word: (-counts[word], word))


def as_jsonl(rows):
    """Return rows as the text of a .jsonl file."""
    return "".join(json.dumps(row) + "\n" for row in rows)
