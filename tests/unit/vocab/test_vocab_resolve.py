"""Resolution: authority, validity, specificity, fall-back and what is reported, on a small Korean vocabulary."""

from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from vocab_athena_folder import concept, maps_to, relation, write_athena

from dure.vocab import REQUEST, load_athena, resolve, resolve_fixed

TYPHOID, FEVER, GLUCOSE, SODIUM, PANEL, YES, ALLERGY = 1001, 1002, 1003, 1004, 1005, 1006, 1007
RETIRED, LOST, SOURCE_ONLY, TWO = 1101, 1102, 1103, 1104


@dataclass(frozen=True)
class Mapping:
    site_maps: tuple[Path, ...] = ()
    consortium_maps: tuple[Path, ...] = ()
    same_as: str | None = None
    normalise: str | None = None
    fallback: str | None = None
    many_targets: bool = False
    reuses_codes: bool = False


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    folder = tmp_path_factory.mktemp("vocab")
    old, new = ("20000101", "20091231"), ("20150101", "20991231")
    concepts = [
        concept(TYPHOID, "S1", vocabulary="SNOMED"),
        concept(FEVER, "S2", vocabulary="SNOMED"),
        concept(GLUCOSE, "L1", vocabulary="LOINC", domain="Measurement"),
        concept(SODIUM, "L2", vocabulary="LOINC", domain="Measurement"),
        concept(PANEL, "L3", vocabulary="LOINC", domain="Measurement"),
        concept(YES, "S6", vocabulary="SNOMED", domain="Meas Value"),
        concept(ALLERGY, "S7", vocabulary="SNOMED", domain="Observation"),
        concept(RETIRED, "S8", vocabulary="SNOMED", standard="", invalid="U"),
        concept(LOST, "S9", vocabulary="SNOMED", standard="", invalid="D"),
        concept(SOURCE_ONLY, "S10", vocabulary="SNOMED", standard=""),
        concept(TWO, "S11", vocabulary="SNOMED", standard="", invalid="U"),
        concept(2001, "A01.0", standard=""),
        concept(2002, "A01", standard=""),
        concept(2003, "A02.0", standard=""),
        concept(2004, "Z88", standard=""),
        concept(2005, "B99.9", standard=""),
        concept(3001, "D2800020", vocabulary="EDI", standard="", domain="Measurement"),
        concept(3002, "D2800", vocabulary="EDI", standard="", domain="Measurement"),
        concept(4001, "R1", vocabulary="REUSED", standard="", invalid="D", dates=old),
        concept(4002, "R1", vocabulary="REUSED", standard="", dates=new),
    ]
    relations = [
        relation(RETIRED, "Concept replaced by", FEVER),
        relation(TWO, "Concept replaced by", FEVER),
        relation(TWO, "Concept replaced by", TYPHOID),
        maps_to(2001, TYPHOID, dates=old),
        maps_to(2002, FEVER),
        maps_to(2004, ALLERGY),
        relation(2004, "Maps to value", YES),
        maps_to(2005, RETIRED),
        maps_to(3001, SODIUM),
        maps_to(3002, PANEL),
        maps_to(4001, TYPHOID),
        maps_to(4002, FEVER),
    ]
    return load_athena(write_athena(folder / "athena", concepts, relations), folder / "stores")


@pytest.fixture
def map_file(tmp_path):
    def write(
        name, *rows, columns="source_vocabulary_id,source_code,target_concept_id,valid_start_date,valid_end_date"
    ):
        path = tmp_path / name / "codes.csv"
        path.parent.mkdir()
        path.write_text("\n".join([columns, *rows]) + "\n", encoding="utf-8")
        return (path,)

    return write


def requests(*rows):
    return pd.DataFrame([row + (None,) * (5 - len(row)) for row in rows], columns=list(REQUEST), dtype=object)


def resolved(store, vocabularies, *rows):
    resolution = resolve(requests(*rows), vocabularies, store)
    columns = ["valid_start", "valid_end", "target_concept_id", "equivalence", "authority", "provenance"]
    return [
        tuple(None if pd.isna(part) else part for part in row)
        for row in resolution.targets[columns].itertuples(index=False, name=None)
    ]


def findings(resolution):
    return [
        (row.code, row.rule, row.severity, None if pd.isna(row.row) else int(row.row))
        for row in resolution.problems.itertuples()
    ]


def test_the_vocabulary_s_own_mapping_counts_whatever_its_dates(store):
    resolution = resolve(requests(("KCD7", "A01.0")), {}, store)
    assert resolution.targets["value_concept_id"].tolist() == [pd.NA]
    [row] = resolution.targets.drop(columns="value_concept_id").to_dict("records")
    assert row == {
        "vocabulary": "KCD7",
        "code": "A01.0",
        "code_type": None,
        "specimen": None,
        "unit": None,
        "valid_start": None,
        "valid_end": None,
        "rank": 0,
        "source_concept_id": 2001,
        "target_concept_id": TYPHOID,
        "target_domain_id": "Condition",
        "equivalence": "equal",
        "authority": "vocabulary",
        "provenance": "Maps to",
    }
    assert resolution.problems.empty


def test_a_code_without_its_dot_meets_the_vocabulary(store):
    assert resolved(store, {}, ("KCD7", "a010"), ("KCD7", "A010가")) == [
        (None, None, TYPHOID, "equal", "vocabulary", "Maps to (as A01.0)"),
        (None, None, 0, None, "none", None),
    ]
    resolution = resolve(requests(("KCD7", "A010A")), {}, store)
    assert resolution.targets[["source_concept_id", "target_concept_id"]].values.tolist() == [[2001, TYPHOID]]


def test_edi_modifiers_and_the_code_type(store):
    resolution = resolve(
        requests(("EDI", "D2800023", "1"), ("EDI", "D2800001", "1"), ("EDI", "D2800023", "8")), {}, store
    )
    assert resolution.targets["target_concept_id"].tolist() == [SODIUM, PANEL, 0]
    assert resolution.targets["source_concept_id"].tolist() == [3001, 3002, 0]


def test_unmapped_codes_keep_their_source_concept(store):
    rows = requests(("KCD7", "A02.0"), ("KCD7", "X99"), ("없는 체계", "1"), (None, "1"), ("KCD7", None))
    resolution = resolve(rows, {}, store)
    assert resolution.targets["source_concept_id"].tolist() == [0, 0, 2003, 0, 0]
    assert set(resolution.targets["target_concept_id"]) == {0}
    assert len(resolution.targets) == 5
    assert findings(resolution) == [("", "vocabulary_unknown", "warning", None)]


def test_same_as_and_values_and_moved_targets(store):
    resolution = resolve(requests(("BADA_DX", "Z88"), ("BADA_DX", "B999")), {"BADA_DX": Mapping(same_as="KCD7")}, store)
    assert resolution.targets["target_concept_id"].tolist() == [ALLERGY, FEVER]
    assert resolution.targets["value_concept_id"].tolist() == [YES, pd.NA]
    assert resolution.targets["provenance"].tolist() == ["Maps to", "Maps to > Concept replaced by (as B99.9)"]
    assert findings(resolution) == [("B999", "target_moved", "warning", None)]


def test_the_site_s_map_for_its_years_over_the_consortium_s_over_the_vocabulary(store, map_file):
    mapping = Mapping(
        site_maps=map_file("site", f"KCD7,A010,{GLUCOSE},2010-01-01,20151231"),
        consortium_maps=map_file("korea", f"KCD7,A01.0,{SODIUM},2014-01-01,2016-12-31"),
    )
    assert resolved(store, {"KCD7": mapping}, ("KCD7", "A010")) == [
        (None, date(2009, 12, 31), TYPHOID, "equal", "vocabulary", "Maps to (as A01.0)"),
        (date(2010, 1, 1), date(2015, 12, 31), GLUCOSE, "equal", "site", "site/codes.csv:2"),
        (date(2016, 1, 1), date(2016, 12, 31), SODIUM, "equal", "consortium", "korea/codes.csv:2"),
        (date(2017, 1, 1), None, TYPHOID, "equal", "vocabulary", "Maps to (as A01.0)"),
    ]


def test_the_more_specific_row_wins_and_others_fall_through(store, map_file):
    rows = (
        f"BADA_LAB,L2011,,,,{PANEL}",
        f"BADA_LAB,L2011,,B,,{GLUCOSE}",
        f"BADA_LAB,L2011,,B,mmol/L,{SODIUM}",
        f"BADA_LAB,L2012,1,,,{SODIUM}",
    )
    columns = "source_vocabulary_id,source_code,code_type,specimen,unit,target_concept_id"
    mapping = {"BADA_LAB": Mapping(site_maps=map_file("bada", *rows, columns=columns))}
    asked = [
        ("BADA_LAB", "L2011", None, None, None),
        ("BADA_LAB", "L2011", None, "B", "mg/dL"),
        ("BADA_LAB", "L2011", None, "B", "mmol/L"),
        ("BADA_LAB", "L2011", None, "U", "mmol/L"),
        ("BADA_LAB", "L2012", "1", None, None),
        ("BADA_LAB", "L2012", None, None, None),
    ]
    assert [row[2] for row in resolved(store, mapping, *asked)] == [PANEL, GLUCOSE, SODIUM, PANEL, SODIUM, 0]


def test_zero_in_a_map_means_looked_at_and_unmapped(store, map_file):
    mapping = {"KCD7": Mapping(site_maps=map_file("site", "KCD7,A01.0,0,,"), fallback="parent")}
    assert resolved(store, mapping, ("KCD7", "A01.0")) == [(None, None, 0, None, "site", "site/codes.csv:2")]


@pytest.mark.parametrize(
    ("target", "rule"),
    [
        ("999", "target_unknown"),
        (LOST, "target_invalid"),
        (SOURCE_ONLY, "target_not_standard"),
        ("7.0", "target_not_an_id"),
    ],
)
def test_a_wrong_target_is_an_error_and_no_one_else_speaks(store, map_file, target, rule):
    mapping = {"KCD7": Mapping(site_maps=map_file("site", f"KCD7,A01.0,{target},2010-01-01,"))}
    resolution = resolve(requests(("KCD7", "A01.0")), mapping, store)
    assert resolution.targets[["target_concept_id", "authority", "source_concept_id"]].values.tolist() == [
        [TYPHOID, "vocabulary", 2001],
        [0, "site", 2001],
    ]
    assert findings(resolution) == [("A01.0", rule, "error", 2)]


def test_a_sound_row_is_applied_beside_a_wrong_one(store, map_file):
    mapping = {"X": Mapping(site_maps=map_file("site", "X,1,999,,", f"X,1,{FEVER},20100101,"))}
    resolution = resolve(requests(("X", "1")), mapping, store)
    assert resolution.targets["target_concept_id"].tolist() == [0, FEVER]
    assert findings(resolution) == [("1", "target_unknown", "error", 2)]


def test_a_map_s_target_that_moved_is_followed(store, map_file):
    mapping = {"X": Mapping(site_maps=map_file("site", f"X,1,{RETIRED},,", f"X,2,{TWO},,"))}
    resolution = resolve(requests(("X", "1"), ("X", "2")), mapping, store)
    assert resolution.targets["target_concept_id"].tolist() == [FEVER, 0]
    assert findings(resolution) == [
        ("1", "target_moved", "warning", 2),
        ("2", "several_targets", "error", 3),
        ("2", "target_moved", "warning", 3),
    ]


def test_several_targets_need_a_declaration(store, map_file):
    rows = (f"BADA,P1,{SODIUM},20100101,20151231", f"BADA,P1,{GLUCOSE},20130101,", f"BADA,P1,{GLUCOSE},20130101,")
    maps = map_file("bada", *rows)
    undeclared = resolve(requests(("BADA", "P1")), {"BADA": Mapping(site_maps=maps)}, store)
    assert undeclared.targets[["valid_start", "rank", "target_concept_id", "authority"]].values.tolist() == [
        [None, 0, 0, "none"],
        [date(2010, 1, 1), 0, SODIUM, "site"],
        [date(2013, 1, 1), 0, 0, "site"],
        [date(2016, 1, 1), 0, GLUCOSE, "site"],
    ]
    assert findings(undeclared) == [("P1", "several_targets", "error", 2)]

    declared = resolve(requests(("BADA", "P1")), {"BADA": Mapping(site_maps=maps, many_targets=True)}, store)
    assert declared.targets[["valid_start", "rank", "target_concept_id"]].values.tolist() == [
        [None, 0, 0],
        [date(2010, 1, 1), 0, SODIUM],
        [date(2013, 1, 1), 0, GLUCOSE],
        [date(2013, 1, 1), 1, SODIUM],
        [date(2016, 1, 1), 0, GLUCOSE],
    ]
    assert declared.problems.empty


def test_a_target_and_none_at_once_is_an_error_even_if_many_are_declared(store, map_file):
    maps = map_file("bada", f"BADA,P1,{SODIUM},,", "BADA,P1,0,,")
    resolution = resolve(requests(("BADA", "P1")), {"BADA": Mapping(site_maps=maps, many_targets=True)}, store)
    assert resolution.targets["target_concept_id"].tolist() == [0]
    assert findings(resolution) == [("P1", "several_targets", "error", 2)]


def test_parents_are_wider_and_stop_at_three_characters(store, map_file):
    mapping = {"KCD7": Mapping(fallback="parent")}
    assert resolved(store, mapping, ("KCD7", "A0109"), ("KCD7", "A018"), ("KCD7", "A09"), ("KCD7", "A0")) == [
        (None, None, TYPHOID, "wider", "vocabulary", "Maps to (as A01.0)"),
        (None, None, FEVER, "wider", "vocabulary", "Maps to (as A01)"),
        (None, None, 0, None, "none", None),
        (None, None, 0, None, "none", None),
    ]
    wider = resolve(requests(("KCD7", "A0109"), ("KCD7", "A010")), mapping, store).targets
    assert wider["source_concept_id"].tolist() == [0, 2001]
    assert wider["equivalence"].tolist() == ["wider", "equal"]


def test_a_site_s_map_of_the_parent_fills_what_its_own_leaves_open(store, map_file):
    rows = (f"KCD7,A01.09,{GLUCOSE},20200101,20201231", f"KCD7,A01.0,{SODIUM},,20101231")
    mapping = {"KCD7": Mapping(site_maps=map_file("site", *rows), fallback="parent")}
    assert resolved(store, mapping, ("KCD7", "A0109")) == [
        (None, date(2010, 12, 31), SODIUM, "wider", "site", "site/codes.csv:3 (as A010)"),
        (date(2011, 1, 1), date(2019, 12, 31), TYPHOID, "wider", "vocabulary", "Maps to (as A01.0)"),
        (date(2020, 1, 1), date(2020, 12, 31), GLUCOSE, "equal", "site", "site/codes.csv:2"),
        (date(2021, 1, 1), None, TYPHOID, "wider", "vocabulary", "Maps to (as A01.0)"),
    ]


def test_reused_codes_follow_the_concepts_validity_if_declared(store):
    declared = resolve(requests(("REUSED", "R1")), {"REUSED": Mapping(reuses_codes=True)}, store)
    columns = ["valid_start", "valid_end", "source_concept_id", "target_concept_id"]
    assert declared.targets[columns].values.tolist() == [
        [None, date(1999, 12, 31), 0, 0],
        [date(2000, 1, 1), date(2009, 12, 31), 4001, TYPHOID],
        [date(2010, 1, 1), date(2014, 12, 31), 0, 0],
        [date(2015, 1, 1), None, 4002, FEVER],
    ]
    assert declared.problems.empty
    undeclared = resolve(requests(("REUSED", "R1")), {}, store)
    assert undeclared.targets[columns].values.tolist() == [[None, None, 4002, FEVER]]
    assert findings(undeclared) == [("R1", "several_concepts", "warning", None)]


def test_rows_of_another_vocabulary_are_not_used_and_a_file_of_none_is_told(store, map_file):
    mapping = {"EDI": Mapping(site_maps=map_file("site", f"Korean EDI,D2800,{GLUCOSE},,", f"Korean EDI,,{GLUCOSE},,"))}
    resolution = resolve(requests(("EDI", "D2800")), mapping, store)
    assert resolution.targets["target_concept_id"].tolist() == [PANEL]
    assert findings(resolution) == [("", "code_missing", "error", 3), ("", "map_of_other_vocabulary", "warning", None)]


def test_repeated_requests_are_one_and_arrow_has_the_types(store):
    resolution = resolve(requests(("KCD7", "A01"), ("KCD7", "A01"), ("KCD7", "A01", "", "", "")), {}, store)
    assert resolution.targets["code_type"].tolist() == [None, ""]
    table = resolution.to_arrow()
    assert [str(table.schema.field(name).type) for name in ("valid_start", "rank", "value_concept_id")] == [
        "date32[day]",
        "int32",
        "int32",
    ]
    assert resolve(requests(), {}, store).to_arrow().num_rows == 0


START = date(2010, 1, 1)
ROWS = st.lists(
    st.tuples(
        st.sampled_from(["site", "consortium"]),
        st.sampled_from(["", "B"]),
        st.sampled_from([TYPHOID, FEVER, 0, 999]),
        st.integers(0, 12),
        st.integers(0, 12),
    ),
    max_size=6,
)


@settings(max_examples=60, deadline=None)
@given(ROWS, st.sampled_from([None, "B"]), st.booleans())
def test_each_day_has_what_the_rules_say(store, tmp_path_factory, rows, specimen, many):
    """A naive reading of the rules, one day at a time."""
    folder = tmp_path_factory.mktemp("maps")
    spans = [(*row[:3], *sorted(row[3:])) for row in rows]
    paths = {}
    for authority in ("site", "consortium"):
        paths[authority] = folder / f"{authority}.csv"
        lines = ["source_code,specimen,target_concept_id,valid_start_date,valid_end_date"]
        lines += [
            f"A01.0,{where},{target},{START + timedelta(first)},{START + timedelta(last)}"
            for owner, where, target, first, last in spans
            if owner == authority
        ]
        paths[authority].write_text("\n".join(lines), encoding="utf-8")
    mapping = Mapping((paths["site"],), (paths["consortium"],), many_targets=many)
    targets = resolve(requests(("KCD7", "A01.0", None, specimen)), {"KCD7": mapping}, store).targets

    def expected(day):
        for authority in ("site", "consortium"):
            for where in [specimen, ""] if specimen else [""]:
                said = {
                    target
                    for owner, at, target, first, last in spans
                    if owner == authority and at == where and START + timedelta(first) <= day <= START + timedelta(last)
                }
                sound = said - {999}
                if said:
                    one = len(sound) == 1 or (many and sound and 0 not in sound)
                    return sorted(sound) if one else [0]
        return [TYPHOID]

    for offset in range(-2, 16):
        day = START + timedelta(offset)
        of_day = targets[
            [
                (start is None or start <= day) and (end is None or day <= end)
                for start, end in zip(targets["valid_start"], targets["valid_end"], strict=True)
            ]
        ]
        assert of_day["target_concept_id"].tolist() == expected(day)
        assert of_day["rank"].tolist() == list(range(len(of_day)))


@dataclass(frozen=True)
class To:
    concept_id: int | None = None
    vocabulary_id: str | None = None
    concept_code: str | None = None


@dataclass(frozen=True)
class Fixed:
    values: dict[tuple[str, ...], To]


def test_fixed_maps_by_vocabulary_and_code(store):
    maps = {
        "sex": Fixed({("남",): To(8507)}),
        "answer": Fixed(
            {
                ("예",): To(vocabulary_id="SNOMED", concept_code="S6"),
                ("장티푸스",): To(vocabulary_id="KCD7", concept_code="A01.0"),
                ("모름", "1"): To(vocabulary_id="SNOMED", concept_code="없음"),
                ("폐기",): To(vocabulary_id="SNOMED", concept_code="S9"),
            }
        ),
        "name": Fixed({("MA",): To()}),
    }
    found = resolve_fixed(maps, store)
    assert found.concepts == {
        "sex": {("남",): 8507},
        "answer": {("예",): YES, ("장티푸스",): TYPHOID, ("모름", "1"): 0, ("폐기",): 0},
        "name": {},
    }
    assert [(problem.code, problem.rule) for problem in found.problems] == [
        ("없음", "target_unknown"),
        ("S9", "target_not_standard"),
    ]
