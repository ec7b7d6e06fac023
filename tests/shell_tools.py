"""What the tests of the shell's commands share: a small file of reviews."""

import csv
from pathlib import Path

ROWS = [
    {"id": i, "review": f"{word} film number {i}", "stars": stars}
    for i in range(30)
    for word, stars in [("lovely", 1), ("dreadful", 0)]
]
TEMPLATE = '{review} [V:"It was"][V:2] {answer}'


def write_csv(path: Path, rows: list[dict]) -> Path:
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return path
