"""Customer feedback with the faults of real files, for lesson 10.

The sentences are those of ``product_sentiment`` (MIT; Hutto & Gilbert 2014). Customers
and faults are made up here.
"""

import csv
import io
import random
from pathlib import Path

from ..tasks.task import load_task

TASK = "product_sentiment"
ROWS, PER_CUSTOMER = 64, (1, 3)
WORDS = (4, 12)
LOG = " 12:00:01 retry, error 17;"
LOG_LINES = 1500
"""Together some 15,000 tokens: more than the embedded model reads at once."""


def clean_rows(seed: int = 0) -> list[dict[str, str]]:
    """Return the rows as they should be: customer, text and label.

    Half of them are positive. Each text occurs once; a customer has one to three rows.
    """
    draw = random.Random(seed)
    found = [row for name in ("train", "dev") for row in load_task(TASK).split(name)]
    found = [row for row in found if WORDS[0] <= len(row["text"].split()) <= WORDS[1]]
    draw.shuffle(found)
    rows: dict[str, dict] = {}
    counts = {"positive": 0, "negative": 0}
    for row in found:
        text, label = " ".join(row["text"].split()), row["answer"]
        if counts[label] < ROWS // 2 and text.lower() not in rows:
            counts[label] += 1
            rows[text.lower()] = {"text": text, "label": label}
    customers = [
        f"C{i:03}" for i in range(ROWS) for _ in range(draw.randint(*PER_CUSTOMER))
    ]
    return [
        {"customer": customer} | row
        for customer, row in zip(customers, rows.values(), strict=False)
    ]


def faulty_rows(seed: int = 0) -> list[dict[str, str]]:
    """Return the rows with all faults but those of the file itself."""
    draw, rows = random.Random(seed + 1), clean_rows(seed)
    places = draw.sample(range(len(rows)), 30)
    for place in places[:14]:
        label = rows[place]["label"]
        rows[place]["label"] = draw.choice([f"{label.title()} ", label.upper()])
    copies = [dict(rows[place]) for place in places[14:22]]
    for copy in copies[:3]:
        copy["text"] = f" {copy['text'].upper()}"
    quarrel = dict(rows[places[22]])
    quarrel["label"] = "positive" if quarrel["label"] == "negative" else "negative"
    first = rows[places[23]]
    long = {"customer": "C900", "label": "negative"}
    long["text"] = first["text"] + LOG * LOG_LINES
    blank = {"customer": "C901", "text": "  ", "label": "negative"}
    unlabelled = [
        {
            "customer": f"C{902 + i}",
            "text": f"I have not tried part {i} yet.",
            "label": "",
        }
        for i in range(3)
    ]
    for extra in [*copies, quarrel, long, blank, *unlabelled]:
        rows.insert(draw.randint(1, len(rows)), extra)
    return rows


def write(path: str | Path, seed: int = 0, *, broken_quote: bool = True) -> Path:
    """Write the faulty file: UTF-8 with a byte order mark, comma separated.

    Parameters
    ----------
    path : path
        Of the file to write.
    seed : int
        Another seed draws other rows and puts the faults elsewhere.
    broken_quote : bool
        Whether one cell opens a quote and does not close it.
    """
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, ["customer", "text", "label"], lineterminator="\n")
    writer.writeheader()
    writer.writerows(faulty_rows(seed))
    lines = text.getvalue().split("\n")
    if broken_quote:
        plain = [i for i, line in enumerate(lines) if i > 20 and line.count(",") == 2]
        place = plain[seed % len(plain)]
        lines[place] = lines[place].replace(",", ',"', 1)
    path = Path(path)
    path.write_bytes(b"\xef\xbb\xbf" + "\n".join(lines).encode())
    return path
