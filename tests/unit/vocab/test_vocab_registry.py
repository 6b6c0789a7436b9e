"""Ids of local concepts: given once, the same on every branch, and never to two codes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dure.errors import ConfigurationError
from dure.site.local_concepts import BLOCK, read_concepts
from dure.site.local_ids import check_concepts, read_local_ids, registry_text
from dure.vocab.registry import LocalCode, assigned, concepts_text, fits, local_concept, unfit

FIRST = 2_011_000_000
BLOCKS = {"bada": FIRST}
visible = st.text(min_size=1, max_size=8).filter(lambda code: fits(LocalCode("LAB", code, "", "Measurement")))
codes = st.sets(st.tuples(st.sampled_from(["LAB", "DX"]), visible), max_size=30)


def read(text, owner="bada"):
    return read_local_ids(text.encode(), "registry.csv", owner, BLOCKS)


@given(codes, codes)
def test_ids_do_not_depend_on_who_asks_first(some, others):
    alone = assigned(some, {}, (), FIRST)
    after = assigned(some, assigned(others, {}, (), FIRST), (), FIRST)
    assert {code: number for code, number in alone.items() if code not in others} == after
    assert len(set(alone.values())) == len(some)
    assert all(FIRST <= number < FIRST + BLOCK for number in alone.values())


@given(codes)
def test_a_registry_reads_back_as_it_was_written(some):
    ids = assigned(some, {}, (), FIRST)
    known, problems = read(registry_text(ids))
    assert (dict(known.ids), problems) == (ids, [])


def test_an_id_that_is_taken_is_passed_over():
    wanted = assigned([("LAB", "혈당")], {}, (), FIRST)["LAB", "혈당"]
    assert assigned([("LAB", "혈당")], {("LAB", "다른"): wanted}, (), FIRST) == {("LAB", "혈당"): wanted + 1}
    assert assigned([("LAB", "혈당")], {}, [wanted, wanted + 1], FIRST) == {("LAB", "혈당"): wanted + 2}


def test_a_code_that_has_an_id_gets_no_other():
    assert assigned([("LAB", "혈당")], {("LAB", "혈당"): FIRST}, (), FIRST) == {}


def test_a_full_block_is_said():
    with pytest.raises(ConfigurationError, match="is full"):
        assigned([("LAB", "새것")], {}, range(FIRST, FIRST + BLOCK), FIRST)


def test_two_branches_that_add_lines_merge_as_text():
    base = assigned([("LAB", "B"), ("LAB", "M"), ("LAB", "T")], {}, (), FIRST)
    one, other = (base | assigned([("LAB", code)], base, (), FIRST) for code in ("C", "Z"))
    lines = set(registry_text(one).splitlines()) | set(registry_text(other).splitlines())
    header = registry_text({}).strip()
    merged = "\n".join([header, *sorted(lines - {header})]) + "\n"
    assert merged == registry_text(one | other)
    assert read(merged)[1] == []


@pytest.mark.parametrize(
    ("lines", "where", "says"),
    [
        (["LAB,A,2011000001", "LAB,B,2011000001"], "registry.csv:3", "is given to LAB B here and to LAB A on line 2"),
        (["LAB,A,2011000001", "LAB,A,2011000002"], "registry.csv:3", "has id 2011000002 here and 2011000001 on line 2"),
        (["<<<<<<< ours", "LAB,A,2011000001", "======="], "registry.csv:2", "a merge was left unfinished"),
        (["LAB,A,2012000001"], "registry.csv:2", "not in the block of bada"),
        (["LAB,A,열하나"], "registry.csv:2", "is no line of a registry"),
        (["LAB,A"], "registry.csv:2", "is no line of a registry"),
    ],
)
def test_what_a_merge_may_break_is_found(lines, where, says):
    problems = read("\n".join(["vocabulary_id,concept_code,concept_id", *lines]))[1]
    assert [(each.where, says in each.found) for each in problems] == [(where, True)]
    assert problems[0].do


def test_a_registry_of_another_shape_is_refused():
    assert read("code,id\n")[1][0].found == "another header"
    assert read_local_ids(b"vocabulary_id" + b"\xb0", "registry.csv", "bada", BLOCKS)[1][0].found == "not UTF-8"
    assert read("vocabulary_id,concept_code,concept_id\n", "haneul") == read("vocabulary_id,concept_code,concept_id\n")


def test_the_same_line_on_both_branches_is_one():
    known, problems = read("vocabulary_id,concept_code,concept_id\nLAB,A,2011000001\nLAB,A,2011000001\n")
    assert (dict(known.ids), problems) == ({("LAB", "A"): 2011000001}, [])


def test_concepts_must_have_the_ids_that_were_given():
    known, _ = read("vocabulary_id,concept_code,concept_id\nLAB,A,2011000001\n")
    right = local_concept(LocalCode("LAB", "A", "검사", "Measurement"), 2011000001)
    other_id = local_concept(LocalCode("LAB", "A", "검사", "Measurement"), 2011000002)
    others_id = local_concept(LocalCode("LAB", "B", "검사", "Measurement"), 2011000001)
    assert check_concepts([right], known, "concepts.csv", "registry.csv") == []
    found = [check_concepts([each], known, "concepts.csv", "registry.csv")[0].found for each in (other_id, others_id)]
    assert found == [
        "LAB A has id 2011000002, but registry.csv:2 gave it 2011000001",
        "LAB B has id 2011000001, which registry.csv:2 gave to LAB A",
    ]


def test_concepts_keep_what_people_wrote():
    before = (
        "\ufeffconcept_id,concept_name,domain_id,vocabulary_id,concept_class_id,concept_code,valid_start_date,"
        'valid_end_date,메모\n2011000009,"칼륨, 혈액",Measurement,LAB,Lab Test,K,2020-01-01,2099-12-31,직접 씀\n'
    )
    text = concepts_text(before, [local_concept(LocalCode("LAB", "가", "  새\n검사 ", "Measurement"), 2011000001)])
    assert text.splitlines()[1:] == [
        '2011000009,"칼륨, 혈액",Measurement,LAB,Lab Test,K,2020-01-01,2099-12-31,직접 씀',
        "2011000001,새 검사,Measurement,LAB,Undefined,가,1970-01-01,2099-12-31,",
    ]
    assert read_concepts(text.encode(), "concepts.csv", "bada", BLOCKS)[1] == []


def test_what_the_cdm_has_no_room_for_is_said():
    long = LocalCode("LAB", "x" * 51, "긴 코드", "Measurement")
    odd = LocalCode("A" * 21, "x", "긴 어휘", "Measurement")
    assert not any(fits(LocalCode("LAB", code, "", "Measurement")) for code in ("", " A", "A\r", "A\nB"))
    assert [fits(each) for each in (long, odd, LocalCode("LAB", "x" * 50, "", "Measurement"))] == [False, False, True]
    assert [each.found for each in unfit([long, odd])] == [
        "has more than 20 characters",
        "1 codes are longer than 50 characters or hold what cannot be seen",
    ]
    assert len(local_concept(LocalCode("LAB", "x", "가" * 300, "Measurement"), FIRST).concept_name) == 255
