"""Suggestions: which concept comes first and why, what teaches and what does not, and that nothing applies by itself."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from suggest_vocabulary import (
    CYST,
    KIDNEY,
    MRI_CONTRAST,
    MRI_PLAIN,
    OVARY,
    SODIUM_PRESENCE,
    SODIUM_SERUM,
    SODIUM_URINE,
    STOMACH,
    suggest_store,
)

from dure.errors import ConfigurationError
from dure.vocab.maps import read_map
from dure.vocab.resolution import REQUEST
from dure.vocab.resolve import resolve
from dure.vocab.spreadsheet import csv_text
from dure.vocab.store import VocabularyStore
from dure.vocab.suggest.alignment import aligned
from dure.vocab.suggest.approved import ApprovedRow, approved_rows
from dure.vocab.suggest.candidates import Filters, candidates_of
from dure.vocab.suggest.codes import read_codes
from dure.vocab.suggest.details import domains_of, domains_of_all, properties_of, specimens_in, specimens_of
from dure.vocab.suggest.english import parts, rows_of, terms, words
from dure.vocab.suggest.korean import Tokenizer
from dure.vocab.suggest.lexicon import learnt_from, own_terms
from dure.vocab.suggest.question import LocalCode, TermWeights
from dure.vocab.suggest.suggester import Suggester, Suggestion
from dure.vocab.suggest.written import DURE_COLUMNS, USAGI_COLUMNS, dure_rows, usagi_rows

pytestmark = pytest.mark.together


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> VocabularyStore:
    return suggest_store(tmp_path_factory.mktemp("vocabulary"))


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer(own_terms())


def ranked(
    store: VocabularyStore,
    tokenizer: Tokenizer,
    code: LocalCode,
    rows: tuple[ApprovedRow, ...] = (),
    filters: Filters | None = None,
    top: int = 9,
) -> list[Suggestion]:
    candidates = candidates_of(store, filters.domains if filters else (), filters.vocabularies if filters else ())
    (found,) = Suggester(candidates, rows, filters, tokenizer=tokenizer).suggest([code], top)
    return found


def ids(found: list[Suggestion]) -> list[int]:
    return [one.concept_id for one in found]


def procedure(korean: str = "", english: str = "", **more: str) -> LocalCode:
    return LocalCode("EDI", "R4000", korean, english, table=more.pop("table", "procedure_occurrence"), **more)


@pytest.mark.parametrize(
    ("word", "meaning"),
    [
        ("gastrectomy", ("stomach", "excision")),
        ("choledochojejunostomy", ("bile", "duct", "jejunum", "opening", "stoma")),
        ("arthroplasty", ("joint", "repair", "plasty")),
        ("tomography", ()),
        ("kidney", ()),
    ],
)
def test_compounds_are_taken_apart(word: str, meaning: tuple[str, ...]) -> None:
    assert parts(word) == meaning


def test_words_are_singular_and_folded() -> None:
    assert words("Biopsies of the ＭＲＩ, Ménière's vessels & 3 masses") == [
        "biopsy", "mri", "meniere", "vessel", "3", "mass"
    ]  # fmt: skip


def test_a_family_joins_two_words_for_one_thing() -> None:
    assert "~mri" in terms("Magnetic resonance imaging of knee")
    assert "~mri" in terms("MRI knee")


@pytest.mark.parametrize("name", ["korean_terms.csv", "english_families.csv", "combining_forms.csv"])
def test_tables_that_come_with_the_package_have_no_row_twice(name: str) -> None:
    rows = [tuple(row.values()) for row in rows_of(name)]
    assert len(rows) == len(set(rows))
    assert all(cell is not None and cell == cell.strip() for row in rows for cell in row)


def test_korean_compounds_are_split_by_terms(tokenizer: Tokenizer) -> None:
    assert tokenizer("하악골절관혈적정복술[편측] 3회") == ("하악", "골절", "관혈적정복술", "편측", "회")
    assert tokenizer("MRI 12") == ()


def test_pairs_of_descriptions_teach_words() -> None:
    pairs = [
        (["가나", "다라"], ["alpha", "beta"]), (["가나", "마바"], ["alpha", "gamma"]), (["다라", "마바"], ["beta", "gamma"])
    ]  # fmt: skip
    found = aligned(pairs)
    assert {word: readings[0][0] for word, readings in found.items()} == {
        "가나": "alpha", "다라": "beta", "마바": "gamma"
    }  # fmt: skip
    assert aligned([]) == {}


def test_a_pair_told_many_times_teaches_once(tokenizer: Tokenizer) -> None:
    assert learnt_from([("조막손대기", "zzz surgery")] * 50, tokenizer) == {}


def test_what_stands_everywhere_weighs_little() -> None:
    weights = TermWeights([{"care": 1.0, "newborn": 1.0}, {"care": 1.0, "dialysis": 1.0}, {"care": 1.0}])
    assert weights("care") < weights("newborn") == weights("dialysis") < weights("unseen")
    assert TermWeights([])("anything") == 1.0


@pytest.mark.parametrize(
    ("korean", "english", "first"),
    [
        ("난소절제술", "", OVARY),
        ("신장적출술", "", KIDNEY),
        ("위전절제술", "", STOMACH),
        ("", "Removal of kidney", KIDNEY),
        ("", "Gastric resection, total", STOMACH),
        ("골반 자기공명영상진단-조영제주입", "", MRI_CONTRAST),
        ("", "Pelvis MRI without contrast", MRI_PLAIN),
        ("난소 물혹", "", CYST),
    ],
)
def test_the_first_candidate(
    store: VocabularyStore, tokenizer: Tokenizer, korean: str, english: str, first: int
) -> None:
    table = "condition_occurrence" if first == CYST else "procedure_occurrence"
    assert ids(ranked(store, tokenizer, procedure(korean, english, table=table)))[0] == first


def test_reasons_name_the_korean_words(store: VocabularyStore, tokenizer: Tokenizer) -> None:
    first = ranked(store, tokenizer, procedure("난소절제술"))[0]
    assert first.rank == 1
    assert first.name == "Excision of ovary"
    assert set(first.reasons[0].removeprefix("words: ").split(", ")) == {"절제술 = excision", "난소 = ovary"}


def test_only_valid_standard_concepts_are_candidates(store: VocabularyStore, tokenizer: Tokenizer) -> None:
    assert 900 not in ids(ranked(store, tokenizer, procedure("", "Excision of left ovary")))


def test_a_concept_of_another_domain_comes_later(store: VocabularyStore, tokenizer: Tokenizer) -> None:
    found = ranked(store, tokenizer, procedure("", "ovary cyst excision"))
    assert ids(found)[0] == OVARY
    (other,) = (one for one in found if one.concept_id == CYST)
    assert "domain Condition, expected Procedure" in other.reasons


def test_nothing_alike_gives_nothing(store: VocabularyStore, tokenizer: Tokenizer) -> None:
    assert ranked(store, tokenizer, LocalCode("X", "1", "힣힣", "qqqqq")) == []
    assert ranked(store, tokenizer, LocalCode("X", "1")) == []


@pytest.mark.parametrize(
    ("code", "first"),
    [
        (LocalCode("EDI", "D2800020", "나트륨-혈청", unit="mmol/L"), SODIUM_SERUM),
        (LocalCode("EDI", "D2800020", "나트륨", specimen="소변", unit="mEq/L; mmol/L"), SODIUM_URINE),
        (LocalCode("EDI", "D2800020", "나트륨(정성)", specimen="serum"), SODIUM_PRESENCE),
    ],
)
def test_specimen_and_property_decide(
    store: VocabularyStore, tokenizer: Tokenizer, code: LocalCode, first: int
) -> None:
    found = ranked(store, tokenizer, code)
    assert ids(found)[0] == first
    assert any(reason.startswith("specimen ") for reason in found[0].reasons)


def test_filters_leave_candidates_out(store: VocabularyStore, tokenizer: Tokenizer) -> None:
    sodium = LocalCode("EDI", "D2800020", "나트륨")
    urine = Filters(specimens=frozenset({"urine"}))
    assert ids(ranked(store, tokenizer, sodium, filters=urine)) == [SODIUM_URINE]
    presence = Filters(properties=frozenset({"presence"}))
    assert ids(ranked(store, tokenizer, sodium, filters=presence)) == [SODIUM_PRESENCE]
    cpt = Filters(domains=frozenset({"procedure"}), vocabularies=frozenset({"cpt4"}))
    assert ids(ranked(store, tokenizer, procedure("", "excision"), filters=cpt)) == [STOMACH]
    with pytest.raises(ConfigurationError, match="no standard concept of Note and NOPE"):
        candidates_of(store, ["Note"], ["NOPE"])


def test_what_was_approved_for_the_same_words_comes_first(store: VocabularyStore, tokenizer: Tokenizer) -> None:
    code = procedure("난소절제술-3등급")
    approved = ApprovedRow("maps/수술.csv:7", "난소절제술-2등급", "", CYST)
    assert ids(ranked(store, tokenizer, code))[0] == OVARY
    first = ranked(store, tokenizer, code, (approved,))[0]
    assert first.concept_id == CYST
    assert first.reasons[0].startswith("approved for a description ")
    assert first.reasons[0].endswith("% alike (maps/수술.csv:7)")


def test_rows_that_nobody_approved_teach_no_target(tmp_path: Path) -> None:
    path = tmp_path / "수술.csv"
    path.write_text(
        "source_vocabulary_id,source_code,description_ko,description_en,target_concept_id,status\n"
        "EDI,R1,난소절제술,Oophorectomy,101,approved\nEDI,R2,난소부분절제술,Partial oophorectomy,301,UNCHECKED\n",
        "utf-8",
    )
    rows = approved_rows([path])
    assert [(row.korean, row.english, row.target) for row in rows] == [
        ("난소절제술", "Oophorectomy", 101),
        ("난소부분절제술", "Partial oophorectomy", 0),
    ]


@pytest.mark.parametrize(
    ("code", "domains"),
    [
        (LocalCode("EDI", "D2800020"), {"Measurement", "Procedure"}),
        (LocalCode("Korean EDI", "R4130"), {"Procedure", "Measurement", "Device", "Observation"}),
        (LocalCode("EDI", "645100120"), {"Drug"}),
        (LocalCode("EDI", "B0030021", code_type="8"), {"Device"}),
        (LocalCode("KCD7", "A010"), {"Condition", "Observation"}),
        (LocalCode("LAB", "17", table="measurement"), {"Measurement"}),
        (LocalCode("LAB", "17"), set()),
    ],
)
def test_domains_of_a_code(code: LocalCode, domains: set[str]) -> None:
    assert domains_of(code) == domains


def test_one_code_that_may_be_anything_opens_all_domains() -> None:
    known, unknown = LocalCode("KCD7", "A010"), LocalCode("LAB", "17")
    assert domains_of_all([known]) == {"Condition", "Observation"}
    assert domains_of_all([known, unknown]) == frozenset()


def test_specimens_and_properties_of_a_code() -> None:
    assert specimens_in("24시간 소변") == {"urine"}
    assert specimens_in("whole blood") == {"blood"}
    assert specimens_in("bloodless serumal") == frozenset()
    assert specimens_of(LocalCode("L", "1", "알부민(뇌척수액)")) == {"cerebrospinal fluid"}
    assert properties_of(LocalCode("L", "1", unit="㎎/㎗")) == {"mass/volume"}
    assert properties_of(LocalCode("L", "1", "매독 정성", unit="")) == {"presence"}


def test_a_work_list_is_read(tmp_path: Path) -> None:
    path = tmp_path / "worklist.csv"
    path.write_text(
        "rank,code,name,records,vocabulary,specimen,units,description,table\n"
        "1,D1,나트륨,7,EDI,혈청,mmol/L,나트륨,measurement\n"
        "2,R1,'=1+1; Excision,30,EDI,,,'=1+1; Excision,procedure_occurrence\n"
        "3,D1,나트륨,5,EDI,혈청,mmol/L,나트륨,measurement\n4,,이름만,9,EDI,,,,\n",
        "utf-8-sig",
    )
    assert read_codes(path) == [
        LocalCode("EDI", "R1", "", "=1+1; Excision", table="procedure_occurrence", records=30),
        LocalCode("EDI", "D1", "나트륨", "", "", "혈청", "mmol/L", "measurement", 12),
    ]


def test_a_list_in_cp949_is_read(tmp_path: Path) -> None:
    path = tmp_path / "목록.txt"
    path.write_bytes("코드\tSOURCE_CODE\tdescription\n1\tA\t똠방각하 수술\n".encode("cp949"))
    assert read_codes(path) == [LocalCode("", "A", "똠방각하 수술")]


def test_of_a_map_the_open_rows_are_read(tmp_path: Path) -> None:
    path = tmp_path / "map.csv"
    path.write_text(
        "source_vocabulary_id,source_code,source_code_description,target_concept_id,status\n"
        "EDI,R1,Excision of ovary; 난소절제술,101,approved\nEDI,R2,Nephrectomy; 신절제술,,unchecked\n"
        "EDI,R3,Other; 기타,0,approved\nEDI,R2,Nephrectomy; 신절제술,102,unchecked\n",
        "utf-8",
    )
    assert read_codes(path) == [LocalCode("EDI", "R2", "신절제술", "Nephrectomy")]


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"", "the file is empty"),
        (b"\xef\xbb\xbf\n\n", "the file is empty"),
        ("이름,값\n가,나\n".encode(), "no column of codes"),
        (b'code,name\n1,"open\n', "not readable as CSV"),
    ],
)
def test_a_file_without_codes_is_refused(tmp_path: Path, content: bytes, found: str) -> None:
    path = tmp_path / "bad.csv"
    path.write_bytes(content)
    with pytest.raises(ConfigurationError, match=found):
        read_codes(path)


@pytest.mark.parametrize("usagi", [False, True])
def test_no_run_applies_a_suggestion(tmp_path: Path, store: VocabularyStore, tokenizer: Tokenizer, usagi: bool) -> None:
    path = tmp_path / "제안.csv"
    found = [ranked(store, tokenizer, procedure("난소절제술"), top=2)]
    columns, rows = (USAGI_COLUMNS, usagi_rows(found)) if usagi else (DURE_COLUMNS, dure_rows(found))

    def write() -> None:
        path.write_text(csv_text(columns, ([row[name] for name in columns] for row in rows)), "utf-8")

    write()
    table = read_map(path)
    assert table.format == ("usagi" if usagi else "dure")
    assert [(entry.status, entry.approved) for entry in table.entries()] == [("unchecked", False)] * len(rows)
    assert next(iter(table.entries())).target == OVARY
    requests = pd.DataFrame([["EDI", "R4000", None, None, None]], columns=list(REQUEST))
    mapping = {"EDI": _Mapped(path)}
    assert resolve(requests, mapping, store).targets["target_concept_id"].tolist() == [0]
    rows[0]["mappingStatus" if usagi else "status"] = "APPROVED"
    write()
    assert resolve(requests, mapping, store).targets["target_concept_id"].tolist() == [OVARY]


class _Mapped:
    """A vocabulary of a spec that one map answers."""

    consortium_maps: tuple[Path, ...] = ()
    same_as = None
    normalise = None
    fallback = None
    many_targets = False
    reuses_codes = False

    def __init__(self, path: Path) -> None:
        self.site_maps = (path,)


def test_a_synonym_that_matched_is_named(store: VocabularyStore, tokenizer: Tokenizer) -> None:
    first = ranked(store, tokenizer, procedure("", "Billroth II"))[0]
    assert first.concept_id == STOMACH
    assert first.reasons == ("words: billroth (synonym: Billroth operation)",)
