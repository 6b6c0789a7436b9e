"""A synthetic vocabulary of Athena's full size, loaded with `dure vocab load`, and codes resolved against the store.

    python benchmarks/athena_synthetic.py [--scale 1] [--codes 200000] [--data DIR] [--keep]

At scale 1: 9 million concepts, 60 million relationships, 90 million ancestor rows, 3 million synonyms and drug
strengths. Vocabularies have about the shares they have in a full download; targets and ancestors are skewed, so that a
few concepts have very many rows. The content is made of numbers: it says nothing of medicine.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
from process import CommandFailed, Usage, measure

ROOT = Path(__file__).resolve().parents[1]
RESULTS = Path(__file__).parent / "results" / "athena.json"
CONCEPTS, RELATIONSHIPS, ANCESTORS, SYNONYMS, STRENGTHS = 9_000_000, 60_000_000, 90_000_000, 3_000_000, 3_000_000
LARGEST_ID = 46_000_000
CHUNK = 1_000_000
LONGEST_LOAD, LARGEST_LOAD, LONGEST_RESOLVE = 600.0, 6e9, 30.0
REMAINDER = "Nebraska Lexicon"

# vocabulary: concepts in thousands of a full download, domains, share that is standard, prefix and digits of its codes
VOCABULARIES: dict[str, tuple[int, tuple[str, ...], float, str, int]] = {
    "RxNorm Extension": (2200, ("Drug",), 0.85, "OMOP", 7),
    "NDC": (1250, ("Drug",), 0.0, "", 11),
    "SNOMED": (1100, ("Condition", "Observation", "Procedure", "Measurement", "Spec Anatomic Site"), 0.6, "", 9),
    "SPL": (800, ("Drug",), 0.0, "SPL-", 8),
    "dm+d": (450, ("Drug", "Device"), 0.1, "", 15),
    "EDI": (360, ("Device", "Procedure", "Measurement", "Drug"), 0.0, "K", 7),
    "MeSH": (350, ("Condition", "Drug"), 0.0, "D", 6),
    "RxNorm": (310, ("Drug",), 0.5, "", 7),
    "LOINC": (280, ("Measurement", "Observation"), 0.7, "", 6),
    "OSM": (200, ("Geography",), 1.0, "", 9),
    "ICD10PCS": (200, ("Procedure",), 0.95, "0", 6),
    "Gemscript": (150, ("Drug", "Device"), 0.0, "", 8),
    "AMT": (120, ("Drug",), 0.05, "", 15),
    "Read": (120, ("Condition", "Procedure", "Observation"), 0.0, "R", 5),
    "OMOP Genomic": (100, ("Measurement",), 1.0, "G", 6),
    "ICD10CM": (100, ("Condition", "Observation"), 0.0, "M", 6),
    "KCD7": (24, ("Condition", "Observation"), 0.0, "kcd", 0),
    "ICD9CM": (22, ("Condition",), 0.0, "", 5),
    "ICD10": (17, ("Condition",), 0.0, "I", 5),
    "CPT4": (17, ("Procedure", "Measurement"), 0.7, "", 5),
    "HCPCS": (12, ("Device", "Procedure", "Drug"), 0.6, "H", 4),
    "ATC": (7, ("Drug",), 0.0, "A", 6),
    "UCUM": (1, ("Unit",), 1.0, "u", 4),
}
# Relationships beside those that mapping follows, with their reverse and their share.
OTHERS = (
    ("Is a", "Subsumes", 0.40),
    ("RxNorm has dose form", "RxNorm dose form of", 0.25),
    ("RxNorm has ing", "RxNorm ing of", 0.20),
    ("Has finding site", "Finding site of", 0.10),
    ("Box of", "Available as box", 0.05),
)
DATES = (19700101, 20991231)
WORDS = ("aortic", "biopsy", "capsule", "delayed", "entire", "fracture", "graft", "hepatic", "injection", "joint",
         "kidney", "lateral", "milligram", "nodule", "oral", "partial", "renal", "serum", "tablet", "valve")  # fmt: skip


@dataclass(frozen=True)
class Concepts:
    """What the other tables need of CONCEPT, row by row in file order."""

    ids: Any
    standard: Any
    vocabulary: Any
    names: list[str]
    codes: pa.ChunkedArray


def _write(path: Path, header: tuple[str, ...], chunks: Iterator[list[Any]]) -> int:
    """Writes chunks of columns in Athena's format; the number of rows."""
    rows = 0
    options = pa.csv.WriteOptions(include_header=False, delimiter="\t", quoting_style="none")
    with path.open("wb") as stream:
        stream.write(("\t".join(header) + "\n").encode())
        for columns in chunks:
            batch = pa.table([column if isinstance(column, pa.ChunkedArray) else pa.array(column) for column in columns],
                             names=list(header))  # fmt: skip
            pa.csv.write_csv(batch, stream, options)
            rows += batch.num_rows
    return rows


def _constant(value: str | None, rows: int) -> pa.Array:
    return pa.array([value], pa.string()).take(pa.array(np.zeros(rows, np.int32)))


def _skewed(random: np.random.Generator, among: Any, rows: int) -> Any:
    """Picks of `among`, the first ones far more often than the last ones."""
    return among[(len(among) * random.random(rows) ** 3).astype(np.int64)]


def _code_texts(prefix: str, digits: int, numbers: Any) -> pa.Array:
    if prefix == "kcd":
        letters = np.array([chr(65 + i) for i in range(26)])[numbers // 1000]
        return pa.array([f"{a}{n // 10:02d}.{n % 10}" for a, n in zip(letters, numbers % 1000, strict=True)])
    padded = pc.utf8_lpad(pa.array(numbers).cast(pa.string()), width=digits, padding="0")
    return pc.binary_join_element_wise(pa.scalar(prefix), padded, "")


def make_concepts(folder: Path, scale: float, random: np.random.Generator) -> Concepts:
    sizes = {name: max(20, int(spec[0] * 1000 * scale)) for name, spec in VOCABULARIES.items()}
    total = max(int(CONCEPTS * scale), sum(sizes.values()) + 20)
    sizes[REMAINDER] = total - sum(sizes.values())
    specs = {**VOCABULARIES, REMAINDER: (0, ("Observation",), 0.3, "N", 8)}
    names = list(specs)
    ids = np.sort(random.permutation(LARGEST_ID)[:total]).astype(np.int32) + 1
    ids = ids[random.permutation(total)]
    words = np.array(
        [" ".join(WORDS[i] for i in random.integers(0, len(WORDS), random.integers(2, 9))) for _ in range(50_000)]
    )
    pool = pa.array(words)
    standard, vocabulary, codes = [], [], []
    started = 0

    def chunks() -> Iterator[list[Any]]:
        nonlocal started
        for number, name in enumerate(names):
            _, domains, share, prefix, digits = specs[name]
            for first in range(0, sizes[name], CHUNK):
                rows = min(CHUNK, sizes[name] - first)
                mine = ids[started : started + rows]
                is_standard = random.random(rows) < share
                # A few percent of what is not standard has been withdrawn.
                invalid = ~is_standard & (random.random(rows) < 0.2)
                text = pc.binary_join_element_wise(
                    pool.take(pa.array(random.integers(0, len(pool), rows))), pa.array(mine).cast(pa.string()), " "
                )
                code = _code_texts(prefix, digits, np.arange(first, first + rows))
                standard.append(is_standard)
                vocabulary.append(np.full(rows, number, np.int16))
                codes.append(code)
                started += rows
                yield [
                    mine,
                    text,
                    pa.array(domains).take(pa.array(random.integers(0, len(domains), rows))),
                    _constant(name, rows),
                    _constant("Clinical Drug" if "Drug" in domains else "Clinical Finding", rows),
                    pa.array(np.where(is_standard, "S", ""), pa.string()),
                    code,
                    np.full(rows, DATES[0]),
                    np.full(rows, DATES[1]),
                    pa.array(np.where(invalid, "U", ""), pa.string()),
                ]

    header = ("concept_id", "concept_name", "domain_id", "vocabulary_id", "concept_class_id", "standard_concept",
              "concept_code", "valid_start_date", "valid_end_date", "invalid_reason")  # fmt: skip
    _write(folder / "CONCEPT.csv", header, chunks())
    return Concepts(ids, np.concatenate(standard), np.concatenate(vocabulary), names, pa.chunked_array(codes))


def make_relationships(folder: Path, scale: float, concepts: Concepts, random: np.random.Generator) -> int:
    total = int(RELATIONSHIPS * scale)
    standard, others = concepts.ids[concepts.standard], concepts.ids[~concepts.standard]
    mapped = others[random.random(len(others)) < 0.8]
    twice = mapped[random.random(len(mapped)) < 0.08]
    replaced = others[random.random(len(others)) < 0.03]
    valued = mapped[random.random(len(mapped)) < 0.02]
    followed = [
        ("Maps to", "Mapped from", standard, standard),
        ("Maps to", "Mapped from", mapped, _skewed(random, standard, len(mapped))),
        ("Maps to", "Mapped from", twice, _skewed(random, standard, len(twice))),
        ("Concept replaced by", "Concept replaces", replaced, _skewed(random, concepts.ids, len(replaced))),
        ("Maps to value", "Value mapped from", valued, _skewed(random, standard, len(valued))),
    ]
    rest = max(0, total - 2 * sum(len(first) for _, _, first, _ in followed)) // 2
    parts = max(1, total // (2 * CHUNK))

    def chunks() -> Iterator[list[Any]]:
        for part in range(parts):
            kinds: list[tuple[str, Any, Any]] = []
            for kind, reverse, first, second in followed:
                cut = slice(len(first) * part // parts, len(first) * (part + 1) // parts)
                kinds += [(kind, first[cut], second[cut]), (reverse, second[cut], first[cut])]
            for kind, reverse, share in OTHERS:
                rows = int(rest * share / parts)
                first, second = _skewed(random, concepts.ids, rows), random.choice(concepts.ids, rows)
                kinds += [(kind, second, first), (reverse, first, second)]
            first = np.concatenate([one for _, one, _ in kinds])
            second = np.concatenate([two for _, _, two in kinds])
            number = np.concatenate([np.full(len(one), i, np.int32) for i, (_, one, _) in enumerate(kinds)])
            order = random.permutation(len(first))
            name = pa.array([kind for kind, _, _ in kinds]).take(pa.array(number[order]))
            rows = len(order)
            invalid = pa.array(np.where(random.random(rows) < 0.02, "D", ""), pa.string())
            yield [first[order], second[order], name, np.full(rows, DATES[0]), np.full(rows, DATES[1]), invalid]

    header = ("concept_id_1", "concept_id_2", "relationship_id", "valid_start_date", "valid_end_date",
              "invalid_reason")  # fmt: skip
    return _write(folder / "CONCEPT_RELATIONSHIP.csv", header, chunks())


def make_others(folder: Path, scale: float, concepts: Concepts, random: np.random.Generator) -> int:
    """CONCEPT_ANCESTOR, CONCEPT_SYNONYM, DRUG_STRENGTH and the small tables; the rows of the first."""
    standard = concepts.ids[concepts.standard]

    def ancestors() -> Iterator[list[Any]]:
        for first in range(0, len(standard), CHUNK):
            itself = standard[first : first + CHUNK]
            yield [itself, itself, np.zeros(len(itself), np.int32), np.zeros(len(itself), np.int32)]
        left = int(ANCESTORS * scale) - len(standard)
        while left > 0:
            rows = min(CHUNK, left)
            levels = random.integers(1, 12, rows)
            yield [
                _skewed(random, standard, rows),
                random.choice(standard, rows),
                levels,
                levels + random.integers(0, 4, rows),
            ]
            left -= rows

    def synonyms() -> Iterator[list[Any]]:
        left = int(SYNONYMS * scale)
        while left > 0:
            rows = min(CHUNK, left)
            ids = random.choice(concepts.ids, rows)
            text = pc.binary_join_element_wise(pa.scalar("synonym of concept"), pa.array(ids).cast(pa.string()), " ")
            yield [ids, text, np.full(rows, 4180186)]
            left -= rows

    def strengths() -> Iterator[list[Any]]:
        left = int(STRENGTHS * scale)
        while left > 0:
            rows = min(CHUNK, left)
            empty = _constant("", rows)
            yield [random.choice(standard, rows), _skewed(random, standard, rows), random.integers(1, 1000, rows),
                   np.full(rows, 8576), empty, empty, empty, empty, empty, np.full(rows, DATES[0]),
                   np.full(rows, DATES[1]), empty]  # fmt: skip
            left -= rows

    rows = _write(
        folder / "CONCEPT_ANCESTOR.csv",
        ("ancestor_concept_id", "descendant_concept_id", "min_levels_of_separation", "max_levels_of_separation"),
        ancestors(),
    )
    _write(folder / "CONCEPT_SYNONYM.csv", ("concept_id", "concept_synonym_name", "language_concept_id"), synonyms())
    header = ("drug_concept_id", "ingredient_concept_id", "amount_value", "amount_unit_concept_id", "numerator_value",
              "numerator_unit_concept_id", "denominator_value", "denominator_unit_concept_id", "box_size",
              "valid_start_date", "valid_end_date", "invalid_reason")  # fmt: skip
    _write(folder / "DRUG_STRENGTH.csv", header, strengths())
    names = ["None", *concepts.names]
    versions = ["v5.0 synthetic", *("1" for _ in concepts.names)]
    header = ("vocabulary_id", "vocabulary_name", "vocabulary_reference", "vocabulary_version", "vocabulary_concept_id")
    _write(folder / "VOCABULARY.csv", header, iter([[names, names, names, versions, np.zeros(len(names), np.int32)]]))
    return rows


def choose_codes(path: Path, concepts: Concepts, count: int, random: np.random.Generator) -> None:
    """Codes as a hospital has them: many Korean ones, spelled without the dot, some unknown to the vocabulary."""
    shares = {"EDI": 0.4, "KCD7": 0.1, "NDC": 0.2, "SNOMED": 0.1, "LOINC": 0.1, "RxNorm": 0.05, "ICD10CM": 0.05}
    vocabulary, code = [], []
    for name, share in shares.items():
        rows = np.flatnonzero(concepts.vocabulary == concepts.names.index(name))
        picked = concepts.codes.take(pa.array(random.choice(rows, min(len(rows), int(count * share)), replace=False)))
        texts = [text.replace(".", "") if name == "KCD7" else text for text in picked.to_pylist()]
        code += [f"{text}Z" if i % 20 == 0 else text for i, text in enumerate(texts)]
        vocabulary += [name] * len(texts)
    missing = count - len(code)
    code += [f"X{number:08d}" for number in range(missing)]
    vocabulary += ["EDI"] * missing
    path.write_text(json.dumps({"vocabulary": vocabulary, "code": code}), encoding="utf-8")


def resolve_codes(store: Path, codes: Path) -> None:
    """What the measured child does: resolves the codes and prints a JSON line."""
    import pandas as pd

    from dure.vocab.resolution import REQUEST
    from dure.vocab.resolve import resolve
    from dure.vocab.store import open_store

    asked = json.loads(codes.read_text(encoding="utf-8"))
    requests = pd.DataFrame(dict.fromkeys(REQUEST), index=range(len(asked["code"])), dtype=object)
    requests[REQUEST[0]], requests[REQUEST[1]] = asked["vocabulary"], asked["code"]
    began = time.monotonic()
    found = resolve(requests, {}, open_store(store))
    seconds = time.monotonic() - began
    mapped = int((found.targets["target_concept_id"] > 0).sum())
    print(
        json.dumps(
            {"seconds": round(seconds, 1), "requests": len(requests), "rows": len(found.targets), "mapped": mapped}
        )
    )


def make(folder: Path, scale: float, count: int) -> dict[str, int]:
    """The download and the codes; how many rows the large tables have."""
    random = np.random.default_rng(20260101)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    concepts = make_concepts(folder, scale, random)
    relationships = make_relationships(folder, scale, concepts, random)
    ancestors = make_others(folder, scale, concepts, random)
    choose_codes(folder.parent / "codes.json", concepts, count, random)
    return {"concepts": len(concepts.ids), "relationships": relationships, "ancestors": ancestors}


def told(name: str, usage: Usage) -> str:
    return f"{name}: {usage.wall:.1f} s wall, {usage.cpu:.1f} s CPU, {usage.peak_rss / 1e9:.2f} GB peak"


def main() -> None:
    if len(sys.argv) == 4 and sys.argv[1] == "resolve":
        resolve_codes(Path(sys.argv[2]), Path(sys.argv[3]))
        return
    parser = argparse.ArgumentParser(description="Loads a synthetic Athena of full size and resolves codes against it.")
    parser.add_argument("--scale", type=float, default=1.0, help="1 is the full size")
    parser.add_argument("--codes", type=int, default=200_000, help="how many codes to resolve")
    parser.add_argument("--data", type=Path, default=ROOT / "bench" / "athena", help="where to put it: 8 GB at scale 1")
    parser.add_argument("--keep", action="store_true", help="keep the download and the store")
    given = parser.parse_args()
    data = given.data.resolve()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("DURE_")}
    began = time.monotonic()
    counts = make(data / "download", given.scale, given.codes)
    print(
        f"made in {time.monotonic() - began:.0f} s: " + ", ".join(f"{n:,} {name}" for name, n in counts.items()),
        flush=True,
    )
    lake = data / "lake"
    shutil.rmtree(lake, ignore_errors=True)
    dure = Path(sys.executable).with_name("dure")
    try:
        load = measure(
            [dure, "vocab", "load", data / "download", "--lake", lake, "--quiet"], cwd=data, environment=environment
        )
        print(told("dure vocab load", load), flush=True)
        store = next(path.parent for path in lake.rglob("store.json"))
        resolving = measure(
            [sys.executable, __file__, "resolve", store, data / "codes.json"], cwd=data, environment=environment
        )
        print(told(f"{given.codes:,} codes resolved", resolving), flush=True)
    except CommandFailed as error:
        sys.exit(str(error))
    if not given.keep:
        shutil.rmtree(data)
    record = {name: {"wall": round(u.wall, 1), "cpu": round(u.cpu, 1), "peak_gb": round(u.peak_rss / 1e9, 2)}
              for name, u in (("load", load), ("resolve", resolving))}  # fmt: skip
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps({"scale": given.scale, **counts, **record}, indent=2) + "\n", encoding="utf-8")
    late = [
        text
        for text, is_late in (
            (f"the load took longer than {LONGEST_LOAD:.0f} s", load.wall > LONGEST_LOAD),
            (f"the load used more than {LARGEST_LOAD / 1e9:.0f} GB", load.peak_rss > LARGEST_LOAD),
            (f"resolving took longer than {LONGEST_RESOLVE:.0f} s", resolving.wall > LONGEST_RESOLVE),
        )
        if is_late
    ]
    if late:
        sys.exit("not reached: " + "; ".join(late))


if __name__ == "__main__":
    main()
