"""`dure center catalogue`: writes what may be shown of a store as JSON, as a page and as CSV."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from datetime import date
from itertools import islice
from pathlib import Path
from typing import Any, Literal

from dure.center.catalogue.counts import PART_ROWS, RECORDS, Block, blocks
from dure.center.catalogue.entries import Entry, entry, rows_of
from dure.center.catalogue.page import PageRows, page_html
from dure.center.catalogue.suppress import smallest_shown
from dure.center.store import CenterStore
from dure.center.summary.model import Summary
from dure.errors import ConfigurationError, Problem
from dure.progress import Progress
from dure.publish.package_manifest import SMALL
from dure.snapshot.durable import lake_access, make_folder, replace_file
from dure.vocab.hierarchy import names_of
from dure.vocab.store import VocabularyStore

Places = Literal["named", "consortium"]
CATALOGUE_VERSION = 1
JSON_FILE, PAGE_FILE, CSV_FILE = "catalogue.json", "catalogue.html", "catalogue.csv"
_COLUMNS = ("table", "concept_id", "name", "place", "year", "persons", "records", "hidden")
_FORM = "catalogue-form.json"
_AT_ONCE = 5_000


@dataclass(frozen=True)
class CatalogueOptions:
    """What `dure center catalogue` is asked to do; `day` is printed on it."""

    store: Path
    out: Path
    day: date
    threshold: int = SMALL
    step: int = 10
    places: Places = "named"
    new_form: bool = False
    part_rows: int = PART_ROWS

    @property
    def form(self) -> dict[str, Any]:
        return {"threshold": self.threshold, "round": self.step, "places": self.places}


@dataclass(frozen=True)
class Place:
    """A hospital, or all of a consortium: what the page says of it. `persons` are rounded, None where too few."""

    name: str
    consortium: str
    hospitals: int
    as_of: str
    persons: int | None


@dataclass
class Made:
    """What was written."""

    concepts: int = 0
    cells: int = 0
    hidden: int = 0
    totals_of_all: int = 0

    def add(self, one: Entry) -> None:
        self.concepts += 1
        self.cells += len(one.cells)
        self.hidden += sum(persons is None for _, _, persons, _ in one.cells)
        self.totals_of_all += one.of_all


def make_catalogue(options: CatalogueOptions, vocabulary: VocabularyStore | None, progress: Progress) -> Made:
    """Writes the three files into `out`; each appears whole or not at all."""
    if options.threshold < SMALL:
        do = f"write {SMALL} or more: smaller counts of persons are shown to nobody"
        raise ConfigurationError(Problem("--threshold", f"is {options.threshold}", do))
    store = CenterStore(options.store)
    summaries = store.summaries()
    if not summaries:
        raise ConfigurationError(Problem(str(options.store), "holds no delivery", "receive one first"))
    _keep_form(options, store)
    smallest = smallest_shown(options.threshold, options.step)
    numbers = _numbered(summaries, options.places)
    places = [_place(name, those, smallest, options.step) for name, those in numbers.items()]
    files = [
        (number, store.summary(each.site, each.sequence) / RECORDS)
        for number, those in enumerate(numbers.values())
        for each in those
    ]
    head = {
        "catalogue_version": CATALOGUE_VERSION,
        "day": str(options.day),
        "threshold": smallest,
        "round": options.step,
        "sites": options.places,
        "dates_shifted": any(each.shifted for each in summaries),
        "vocabulary": vocabulary.release if vocabulary else None,
        "places": [asdict(place) for place in places],
    }
    progress.stage("catalogue")
    with lake_access(options.out):
        make_folder(options.out)
    return _write(options, head, places, blocks(files, options.part_rows), vocabulary, smallest)


def _write(
    options: CatalogueOptions,
    head: Mapping[str, Any],
    places: Sequence[Place],
    found: Iterator[Block],
    vocabulary: VocabularyStore | None,
    smallest: int,
) -> Made:
    made, page = Made(), PageRows()
    named = {number: place.name for number, place in enumerate(places)}
    parts = {name: options.out / f".{name}.new" for name in (JSON_FILE, CSV_FILE)}
    with ExitStack() as open_files, lake_access(options.out):
        text = open_files.enter_context(parts[JSON_FILE].open("w", encoding="utf-8"))
        # Excel takes a CSV for UTF-8 only where it begins with a byte order mark.
        table = csv.writer(open_files.enter_context(parts[CSV_FILE].open("w", encoding="utf-8-sig", newline="")))
        table.writerow(_COLUMNS)
        text.write(json.dumps(head, ensure_ascii=False, indent=1)[:-2] + ',\n "concepts": [')
        before = "\n"
        while some := list(islice(found, _AT_ONCE)):
            names = names_of(vocabulary, {block.concept_id for block in some}) if vocabulary else {}
            for block in some:
                one = entry(block, names.get(block.concept_id, ""), smallest, options.step)
                text.write(before + json.dumps(one.as_json(), ensure_ascii=False, separators=(",", ":")))
                before = ",\n"
                table.writerows(_safe(row) for row in rows_of(one, named))
                page.add(one)
                made.add(one)
        text.write("\n]}\n")
    with lake_access(options.out):
        replace_file(options.out / PAGE_FILE, page_html(head, page))
        (options.out / PAGE_FILE).chmod(0o644)
        for name, part in parts.items():
            part.replace(options.out / name)
    return made


def _safe(row: Sequence[object]) -> list[object]:
    """A spreadsheet would take a text that begins so for a formula."""
    return [f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@") else value for value in row]


def _numbered(summaries: Sequence[Summary], places: Places) -> dict[str, list[Summary]]:
    found: dict[str, list[Summary]] = {}
    taken = {each.name for each in summaries}
    for each in summaries:
        own = each.name if len(taken) == len(summaries) else f"{each.name} ({each.site})"
        found.setdefault(own if places == "named" else each.consortium or own, []).append(each)
    return found


def _place(name: str, those: Sequence[Summary], smallest: int, step: int) -> Place:
    persons = sum(each.persons for each in those)
    return Place(
        name=name,
        consortium=those[0].consortium or "",
        hospitals=len(those),
        as_of=str(min(each.as_of for each in those)),
        persons=(persons + step // 2) // step * step if persons >= smallest else None,
    )


def _keep_form(options: CatalogueOptions, store: CenterStore) -> None:
    """One store is shown in one form: from two, one by hospital and one by consortium, hidden counts can be computed."""
    path = store.root / _FORM
    with lake_access(path):
        before = json.loads(path.read_bytes()) if path.is_file() else None
    if before == options.form:
        return
    if before is not None and not options.new_form:
        said = ", ".join(f"{name} {value}" for name, value in sorted(before.items()))
        do = "two forms of the same data can give hidden counts away; --new-form if the earlier one was never shown"
        raise ConfigurationError(Problem(str(path), f"the catalogue was made before with {said}", do))
    with store.lock(), lake_access(path):
        replace_file(path, json.dumps(options.form).encode())
