"""Mutated files of rows: read as another reader does, or refused with the line."""

import json
import random
import re
from collections.abc import Iterator
from pathlib import Path

import ptlearn as pt
from ptlearn.errors import DataError
from ptlearn.tasks.readers import read_file

from .outcome import Outcome, one

ROWS = [
    {"text": 'A "fine" film, truly', "answer": "good"},
    {"text": "Two\nlines, and a comma", "answer": "bad"},
    {"text": "naïve 漢字 🙂", "answer": "good"},
    {"text": "", "answer": "bad"},
    {"text": "plain", "answer": "good"},
    {"text": " blanks around ", "answer": "bad"},
]
ODD = [b'"', b",", b"\n", b"\r\n", b"\r", b"\t", b"{", b"}", b"[", b"\\", b":", b"null"]
ODD += [
    b"\x00",
    b"\xff",
    b"\xef\xbb\xbf",
    b"\\u0000",
    b"\\ud800",
    b"NaN",
    b"1e999",
    b" ",
]
ODD += ["\u2028".encode(), "\x85".encode(), "é".encode(), b'""', b"//", b"\x1a"]

BLANK: list[str] = []
"""A line with no cell at all, not even a quoted one."""


def trial(numbers: range, folder: Path) -> Iterator[Outcome]:
    """Mutate, read, and compare; even numbers are CSV, odd ones JSONL."""
    for number in numbers:
        draw = random.Random(number)
        kind = ("csv", "jsonl")[number % 2]
        content = mutated(as_csv() if kind == "csv" else as_jsonl(), draw)
        path = folder / f"rows.{kind}"
        path.write_bytes(content)
        how, fell = read(path, content, kind)
        yield one(how, fell and f"{kind} {content!r}: {fell}")


def as_csv() -> bytes:
    lines = ["text,answer"]
    for row in ROWS:
        cells = [f'"{v.replace(chr(34), chr(34) * 2)}"' for v in row.values()]
        plain = row["text"] == "plain"
        lines.append(",".join(row.values() if plain else cells))
    return "\n".join([*lines, ""]).encode()


def as_jsonl() -> bytes:
    lines = (json.dumps(row, ensure_ascii=i % 2 > 0) for i, row in enumerate(ROWS))
    return "\n".join([*lines, ""]).encode()


def mutated(content: bytes, draw: random.Random) -> bytes:
    """Return the file after one to three small accidents."""
    for _ in range(draw.choice([1, 1, 1, 2, 3])):
        place = draw.randrange(len(content) + 1)
        other = draw.randrange(len(content) + 1)
        a, b = sorted((place, other))
        way = draw.randrange(8)
        if way == 0 and place < len(content):  # one bit
            flipped = bytes([content[place] ^ 1 << draw.randrange(8)])
            content = content[:place] + flipped + content[place + 1 :]
        elif way == 1:
            content = content[:place] + draw.choice(ODD) + content[place:]
        elif way == 2:
            content = content[:place] + draw.choice(ODD) + content[place + 1 :]
        elif way == 3:
            content = content[:place] + content[place + 1 :]
        elif way == 4:  # cut off
            content = content[:place]
        elif way == 5:  # a stretch twice
            content = content[:b] + content[a:]
        elif way == 6:  # a stretch lost
            content = content[:a] + content[b:]
        else:
            content = content.replace(b"\n", draw.choice([b"\r\n", b"\r", b"\n\n"]))
    return content


def read(path: Path, content: bytes, kind: str) -> tuple[str, str]:
    """Return how a file held, or how it fell."""
    wanted = (plain_csv if kind == "csv" else plain_jsonl)(content)
    try:
        found = read_file(path)
    except DataError as error:
        said = str(error)
        names = re.search(r"line \d+|two columns|no column's name|has no", said)
        if path.name not in said or not names:
            return "", f"the message names no line: {said}"
        return "refused", "" if wanted is None else f"refused a whole file: {said}"
    except Exception as error:
        return "", f"{type(error).__name__}: {error}"
    if wanted is None:
        return "", f"read as {found}, though it is damaged"
    if found != wanted:
        return "", f"read as {found}, not {wanted}"
    try:
        pt.Task.from_rows(path)
    except DataError:
        return "read with its rows refused", ""
    except Exception as error:
        return "", f"Task.from_rows: {type(error).__name__}: {error}"
    return "read right", ""


def plain_text(content: bytes) -> str | None:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return None
    return None if "\0" in text else text


def plain_csv(content: bytes) -> list[dict] | None:
    """Read CSV one character at a time, as RFC 4180 has it; None if it is damaged."""
    text = plain_text(content)
    if text is None:
        return None
    records, cells, cell, place = [], [], "", 0
    while place < len(text):
        quoted = text[place] == '"'
        if quoted:
            place += 1
            while place < len(text):
                if text[place] == '"':
                    if text[place + 1 : place + 2] != '"':
                        break
                    place += 1
                cell += text[place]
                place += 1
            else:
                return None  # never closed
            place += 1
        else:
            while place < len(text) and text[place] not in ",\r\n":
                cell += text[place]
                place += 1
        end = text[place : place + 1]
        if end and end not in ",\r\n":
            return None  # something follows the closing quote
        cells.append(cell)
        cell = ""
        place += 1
        if end == ",":
            if place < len(text):
                continue
            cells.append("")  # the file ends after a comma
        records.append(cells if cells != [""] or quoted else BLANK)
        cells = []
        if end == "\r" and text[place : place + 1] == "\n":
            place += 1
    while records[:1] == [BLANK]:
        del records[0]
    if not records:
        return []
    head, *rows = records
    rows = without_blanks(rows, len(head))
    named = [name for name in head if name]  # no template can ask for the others
    if len(set(named)) < len(named) or any(len(row) != len(head) for row in rows):
        return None
    unnamed = [i for i, name in enumerate(head) if not name]
    if len(unnamed) > 1 and any(row[i] for row in rows for i in unnamed):
        return None  # a dict would keep only one of these cells
    return [dict(zip(head, row, strict=True)) for row in rows]


def without_blanks(rows: list[list[str]], width: int) -> list[list[str]]:
    """Drop blank lines; below a header of one column each is a cell, but the last."""
    if width > 1:
        return [row for row in rows if row != BLANK]
    if rows[-1:] == [BLANK]:
        rows = rows[:-1]
    return [row or [""] for row in rows]


def plain_jsonl(content: bytes) -> list | None:
    """Read JSON lines into pairs first, so that no key is lost; None if damaged."""
    text = plain_text(content)
    if text is None:
        return None
    rows = []
    for line in filter(str.strip, re.split("\r\n|\r|\n", text)):
        try:
            row = json.loads(line, object_pairs_hook=unique)
            json.dumps(row, ensure_ascii=False).encode()
        except ValueError:
            return None
        rows.append(row)
    return rows


def unique(pairs: list[tuple]) -> dict:
    if len(dict(pairs)) < len(pairs):
        raise ValueError("a key twice")
    return dict(pairs)
