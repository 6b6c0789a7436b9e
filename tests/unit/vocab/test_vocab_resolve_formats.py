"""Resolution from Usagi's export and Dure's own CSV: statuses, and targets that are values."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import openpyxl
import pandas as pd
import pytest
from vocab_athena_folder import concept, write_athena

from dure.vocab import REQUEST, Resolution, VocabularyStore, load_athena, resolve

SPUTUM, POSITIVE, NEGATIVE, OLD = 1001, 1002, 1003, 1004
USAGI = "sourceCode,sourceName,matchScore,mappingStatus,equivalence,conceptId,mappingType"


@dataclass(frozen=True)
class Mapping:
    site_maps: tuple[Path, ...]
    consortium_maps: tuple[Path, ...] = ()
    same_as: str | None = None
    normalise: str | None = None
    fallback: str | None = None
    many_targets: bool = False
    reuses_codes: bool = False


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> VocabularyStore:
    folder = tmp_path_factory.mktemp("vocab")
    concepts = [
        concept(SPUTUM, "S1", vocabulary="SNOMED", domain="Measurement"),
        concept(POSITIVE, "S2", vocabulary="SNOMED", domain="Meas Value"),
        concept(NEGATIVE, "S3", vocabulary="SNOMED", domain="Meas Value"),
        concept(OLD, "S4", vocabulary="SNOMED", standard="", invalid="D"),
    ]
    return load_athena(write_athena(folder / "athena", concepts), folder / "stores")


@pytest.fixture
def resolved(tmp_path: Path, store: VocabularyStore) -> Callable[..., Resolution]:
    def by(*lines: str) -> Resolution:
        path = tmp_path / "maps" / "균.csv"
        path.parent.mkdir()
        path.write_text("\n".join(lines) + "\n", "utf-8")
        request = pd.DataFrame([("LAB", "객담AFB", None, None, None)], columns=list(REQUEST), dtype=object)
        return resolve(request, {"LAB": Mapping((path,))}, store)

    return by


def targets(resolution: Resolution) -> list[tuple[int, int | None, str | None]]:
    columns = ["target_concept_id", "value_concept_id", "provenance"]
    return [
        tuple(None if pd.isna(part) else part for part in row)
        for row in resolution.targets[columns].itertuples(index=False, name=None)
    ]


def problems(resolution: Resolution) -> list[tuple[str, str, int | None]]:
    return [(row.rule, row.severity, row.row) for row in resolution.problems.itertuples()]


def test_a_value_goes_with_the_target_of_its_code(resolved: Callable[..., Resolution]) -> None:
    resolution = resolved(
        USAGI,
        f"객담AFB,결핵균 양성,1,APPROVED,EQUAL,{SPUTUM},MAPS_TO",
        f"객담AFB,결핵균 양성,1,APPROVED,EQUAL,{POSITIVE},MAPS_TO_VALUE",
    )
    assert targets(resolution) == [(SPUTUM, POSITIVE, "maps/균.csv:2")]
    assert problems(resolution) == []


def test_what_nobody_approved_does_not_apply_and_is_counted(resolved: Callable[..., Resolution]) -> None:
    resolution = resolved(
        USAGI,
        f"객담AFB,결핵균,1,UNCHECKED,EQUAL,{SPUTUM},MAPS_TO",
        f"객담,객담,1,AUTO_MAPPED,EQUAL,{SPUTUM},MAPS_TO",
    )
    assert targets(resolution) == [(0, None, None)]
    [row] = [row for row in resolution.problems.itertuples() if row.rule == "not_approved"]
    assert (row.severity, row.detail) == (
        "warning",
        "2 rows are not approved, so not applied: 1 auto_mapped, 1 unchecked",
    )


@pytest.mark.parametrize(
    ("rows", "found", "rules"),
    [
        (  # a value alone has no record to stand on
            [f"객담AFB,{POSITIVE},Maps to value"],
            [(0, None, "maps/균.csv:2")],
            [("value_without_target", "error", 2)],
        ),
        (
            [f"객담AFB,{SPUTUM},", f"객담AFB,{POSITIVE},Maps to value", f"객담AFB,{NEGATIVE},Maps to value"],
            [(SPUTUM, POSITIVE, "maps/균.csv:2")],
            [("several_values", "warning", 3)],
        ),
        (  # a value that is no longer valid leaves the target as it is
            [f"객담AFB,{SPUTUM},Maps to", f"객담AFB,{OLD},Maps to value"],
            [(SPUTUM, None, "maps/균.csv:2")],
            [("target_invalid", "error", 3)],
        ),
        (
            [f"객담AFB,{SPUTUM},Maps to", f"객담AFB,{POSITIVE},Maps to unit", f"객담AFB,{POSITIVE},Is a"],
            [(SPUTUM, None, "maps/균.csv:2")],
            [("mapping_type_not_applied", "warning", 4), ("mapping_type_not_applied", "warning", 3)],
        ),
    ],
)
def test_mapping_types(
    resolved: Callable[..., Resolution],
    rows: list[str],
    found: list[tuple[int, int | None, str | None]],
    rules: list[tuple[str, str, int]],
) -> None:
    resolution = resolved("source_code,target_concept_id,mapping_type", *rows)
    assert targets(resolution) == found
    assert problems(resolution) == rules


def test_a_workbook_is_a_map(tmp_path: Path, store: VocabularyStore) -> None:
    book = openpyxl.Workbook()
    book.active.append(["source_code", "target_concept_id", "status"])
    book.active.append(["객담AFB", SPUTUM, "approved"])
    book.save(tmp_path / "균.xlsx")
    request = pd.DataFrame([("LAB", "객담AFB", None, None, None)], columns=list(REQUEST), dtype=object)
    resolution = resolve(request, {"LAB": Mapping((tmp_path / "균.xlsx",))}, store)
    assert [row[:2] for row in targets(resolution)] == [(SPUTUM, None)]
