"""Local concepts as targets of maps: standard by the consortium's adoption alone."""

from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pandas as pd
import pytest
from vocab_athena_folder import concept, write_athena

from dure.site.local_concepts import LocalConcept
from dure.vocab import REQUEST, load_athena, resolve
from dure.vocab.common_map import common_targets
from dure.vocab.coverage import resolved_codes

FALL, OWN = 2_010_000_001, 2_011_000_001


@dataclass(frozen=True)
class Mapping:
    site_maps: tuple[Path, ...] = ()
    consortium_maps: tuple[Path, ...] = ()
    same_as: str | None = None
    normalise: str | None = None
    fallback: str | None = None
    many_targets: bool = False
    reuses_codes: bool = False


def local(number, code):
    return LocalConcept(
        number, f"검사 {code}", "Measurement", "LAB", "Test", code, date(1970, 1, 1), date(2099, 12, 31)
    )


CONCEPTS = (local(FALL, "FALL"), local(OWN, "OWN"))


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    folder = tmp_path_factory.mktemp("vocab")
    concepts = [concept(1, "L1", vocabulary="LOINC", domain="Measurement"), concept(2, "L2", vocabulary="LOINC")]
    return load_athena(write_athena(folder / "a", concepts), folder / "stores")


def found(store, tmp_path, site, consortium, *codes):
    paths = {}
    for name, rows in (("site", site), ("consortium", consortium)):
        paths[name] = tmp_path / name / "lab.csv"
        paths[name].parent.mkdir()
        paths[name].write_text("\n".join(["source_vocabulary_id,source_code,target_concept_id", *rows]) + "\n", "utf-8")
    mapping = {"LAB": Mapping((paths["site"],), (paths["consortium"],))}
    requests = pd.DataFrame([("LAB", code, None, None, None) for code in codes], columns=list(REQUEST), dtype=object)
    return resolve(requests, mapping, store, CONCEPTS), mapping


def test_a_map_of_the_consortium_adopts_a_local_concept_for_everybody(store, tmp_path):
    made, _ = found(store, tmp_path, [f"LAB,낙상,{FALL}"], [f"LAB,FALL,{FALL}"], "FALL", "낙상")
    assert made.targets[["target_concept_id", "target_domain_id", "authority"]].values.tolist() == [
        [FALL, "Measurement", "consortium"],
        [FALL, "Measurement", "site"],
    ]
    assert made.problems.empty


def test_a_local_concept_that_nobody_adopted_is_no_target(store, tmp_path):
    made, _ = found(store, tmp_path, [f"LAB,OWN,{OWN}"], [f"LAB,FALL,{FALL}"], "OWN")
    assert made.targets["target_concept_id"].tolist() == [0]
    assert made.problems["rule"].tolist() == ["target_not_standard"]
    assert made.problems["detail"].tolist() == [
        f"local concept {OWN} is not standard: no map of the consortium adopts it"
    ]
    assert [code.status.value for code in resolved_codes(made)] == ["invalid"]


def test_an_id_of_nobody_stays_unknown(store, tmp_path):
    made, _ = found(store, tmp_path, ["LAB,X,2011000099"], [], "X")
    assert made.problems["rule"].tolist() == ["target_unknown"]


def test_what_the_common_map_alone_says(store, tmp_path):
    site = ["LAB,A,1", "LAB,B,1", "LAB,C,1"]
    made, mapping = found(store, tmp_path, site, ["LAB,A,2", "LAB,B,0", "LAB,D,2"], "A", "B", "C", "D", "E")
    common = common_targets(resolved_codes(made), mapping, store)
    assert {request[1]: targets for request, targets in common.items()} == {"A": "2", "B": "", "D": "2"}


def test_a_code_that_a_map_leaves_without_a_concept_is_unmapped_and_not_invalid(store, tmp_path):
    made, _ = found(store, tmp_path, ["LAB,A,0", "LAB,B,77"], [], "A", "B", "C")
    assert [code.status.value for code in resolved_codes(made)] == ["unmapped", "invalid", "unmapped"]
