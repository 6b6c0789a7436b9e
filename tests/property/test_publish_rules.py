"""Laws of what leaves: no code that too few persons have, no shape of an identifier, one pseudonym a person and key."""

from __future__ import annotations

import base64
import os
import re
from datetime import date, timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dure.publish.deidentify.pseudonyms import Rules, crosswalk_rows
from dure.publish.deidentify.rare_codes import choose
from dure.publish.deidentify.scan import SCRUBBED, Findings, Identifiers, scrubbed
from dure.publish.private_keys import KeySource, key_fingerprint, new_pseudonym_key, pseudonym_key

AS_OF = date(2024, 12, 31)
# Concepts 1 to 6 under 10 and 11, those under 20.
_ABOVE = {n: [(1, 10 + n % 2), (2, 20)] for n in range(1, 7)}


@settings(deadline=None)
@given(
    persons=st.dictionaries(st.integers(1, 6), st.sets(st.integers(1, 12), min_size=1, max_size=4), min_size=1),
    common=st.frozensets(st.sampled_from([10, 11])),
    k=st.integers(2, 6),
)
@example(persons={1: {1, 2}, 2: {3, 4}, 3: {1, 5}}, common=frozenset(), k=3)
def test_no_code_is_left_that_fewer_than_k_persons_have(
    persons: dict[int, set[int]], common: frozenset[int], k: int
) -> None:
    chosen = choose(persons, common, _ABOVE, k)
    assert chosen.keys() == persons.keys()
    for target in set(chosen.values()) - {0} - common:
        assert len(set().union(*(persons[c] for c in persons if chosen[c] == target))) >= k
    assert all(target in {0, 20, 10 + concept % 2} for concept, target in chosen.items())


def test_the_nearest_ancestor_that_holds_enough_is_taken() -> None:
    persons = {1: {1, 2}, 3: {3}, 2: {4}}
    assert choose(persons, frozenset(), _ABOVE, 3) == {1: 11, 3: 11, 2: 0}
    # 10 would get two of the four, so all four meet at 20.
    assert choose({1: {1, 2}, 2: {3, 4}}, frozenset(), _ABOVE, 3) == {1: 20, 2: 20}
    assert choose({1: {1}}, frozenset({11}), _ABOVE, 3) == {1: 11}


births = st.dates(date(1900, 1, 1), date(2024, 1, 1))
RRNS = st.builds(lambda born, tail: f"{born:%y%m%d}-{tail:07d}", births, st.integers(1_000_000, 8_999_999))
PHONES = st.builds(lambda a, b: f"010-{a:04d}-{b:04d}", st.integers(2000, 9999), st.integers(0, 9999))
MAILS = st.from_regex(r"[a-z]{1,8}@[a-z]{2,8}\.(com|kr)", fullmatch=True)
WORDS = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Nd", "Nl", "No"]), max_size=8)
FULL_WIDTH = str.maketrans("0123456789-", "０１２３４５６７８９－")


@settings(max_examples=60, deadline=None)
@given(before=WORDS, shape=st.one_of(RRNS, PHONES, MAILS), after=WORDS, wide=st.booleans())
def test_a_shape_is_found_and_a_scrub_leaves_none(before: str, shape: str, after: str, wide: bool) -> None:
    shape = shape.translate(FULL_WIDTH) if wide else shape
    text = f"{before} {shape} {after}"
    column = pa.table({"note_text": [text, None, text]})
    findings = Findings()
    findings.scan("note", column, Identifiers(), ["note_text"])
    assert sum(findings.rows.values()) >= 2
    clean = pa.table({"note_text": scrubbed(column["note_text"], Identifiers())})
    assert SCRUBBED in clean["note_text"][0].as_py() and clean["note_text"][1].as_py() is None
    again = Findings()
    again.scan("note", clean, Identifiers(), ["note_text"])
    assert again.rows == {}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("9001011234567", True),
        ("900101 - 1234567", True),
        ("900101-1******", True),
        ("901301-1234567", False),
        ("혈당 126 mg/dL, 2024-03-01", False),
        ("648901230", False),
        ("8806429000115", False),
        ("010 1234 5678", True),
        ("01012345678", True),
        ("+82-10-1234-5678", True),
        ("02-345-6789", True),
        ("120/80 02", False),
        ("M79.62 I10", False),
        ("kim@bada.co.kr", True),
        ("3@5", False),
    ],
)
def test_what_the_scan_takes_for_an_identifier(text: str, found: bool) -> None:
    findings = Findings()
    findings.scan("t", pa.table({"c": [text]}), Identifiers(), ["c"])
    assert bool(findings.rows) is found


def test_names_are_found_with_particles_and_within_sentences() -> None:
    names = Identifiers.of(["김가람", "이나", "Kim", "환자00001", ""])
    texts = pa.chunked_array([["김가람님은 KIM 으로", "이나라", "환자00001", "가람", "Kimberly", None]])
    assert scrubbed(texts, names).to_pylist() == [
        f"{SCRUBBED}님은 {SCRUBBED} 으로", f"{SCRUBBED}라", SCRUBBED, "가람", "Kimberly", None,
    ]  # fmt: skip


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> list[KeySource]:
    made = []
    for number in range(2):
        path = tmp_path_factory.mktemp("keys") / "pseudonym.key"
        path.write_bytes(new_pseudonym_key())
        path.chmod(0o600)
        made.append(KeySource("file", str(path)))
        assert number == 0 or made[0] != made[1]
    return made


def crosswalk(source: KeySource, *persons: tuple[object, ...], shifted: bool = True) -> list[dict[str, object]]:
    names = ("person_id", "year_of_birth", "month_of_birth", "day_of_birth", "born", "died")
    kinds = (pa.int64(), pa.int32(), pa.int32(), pa.int32(), pa.date32(), pa.date32())
    columns = zip(*persons, strict=True)
    batch = pa.RecordBatch.from_arrays(
        [pa.array(list(column), kind) for column, kind in zip(columns, kinds, strict=True)], names=list(names)
    )
    rules = Rules(source, shifted, 89, AS_OF, {})
    return [row for made in crosswalk_rows([batch], rules) for row in made.to_pylist()]


@settings(max_examples=50, deadline=None)
@given(person=st.integers(1, 2**53 - 1), born=st.dates(date(1900, 1, 1), AS_OF), data=st.data())
def test_persons_move_by_whole_weeks_and_the_oldest_are_ninety(
    keys: list[KeySource], person: int, born: date, data: st.DataObject
) -> None:
    died = data.draw(st.none() | st.dates(born, AS_OF))
    (row,) = crosswalk(keys[0], (person, born.year, born.month, born.day, born, died))
    assert crosswalk(keys[0], (person, born.year, born.month, born.day, born, died)) == [row]
    (other,) = crosswalk(keys[1], (person, born.year, born.month, born.day, born, died))
    assert {other["pseudonym"], other["secret"]} & {row["pseudonym"], row["secret"], person} == set()
    shift = row["shift"]
    assert isinstance(shift, int) and shift % 7 == 0 and 7 <= shift <= 364
    assert 0 < row["pseudonym"] < 2**53  # type: ignore[operator]
    seen = died or AS_OF
    last = (died - timedelta(shift) if died else AS_OF).year
    assert last - 90 <= row["year"]  # type: ignore[operator]
    age = seen.year - born.year - ((seen.month, seen.day) < (born.month, born.day))
    if age > 89:
        assert (row["year"], row["month"], row["day"], row["born"]) == (last - 90, None, None, None)
    elif row["born"] is not None:
        assert row["born"] == born - timedelta(shift)
    assert row["earliest"] == date(last - 90, 1, 1)


def test_what_is_not_known_of_a_birth_stays_unknown(keys: list[KeySource]) -> None:
    year_only, no_birth = crosswalk(keys[0], (1, 1980, None, None, None, None), (2, None, None, None, None, None))
    assert (year_only["month"], year_only["day"], year_only["born"]) == (None, None, None)
    assert year_only["year"] == 1979, "1 January moved back, as the checks take an unknown day"
    assert no_birth["year"] is None and no_birth["earliest"] is None
    (exact,) = crosswalk(keys[0], (1, 1980, None, None, None, None), shifted=False)
    assert exact["year"] == 1980 and exact["shift"] == 0 and exact["pseudonym"] == year_only["pseudonym"]


def test_a_key_may_come_from_the_environment_and_its_fingerprint_tells_nothing(
    keys: list[KeySource], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DURE_PUBLISH_KEY", Path(keys[0].place).read_text())
    key = pseudonym_key(KeySource("environment", "DURE_PUBLISH_KEY"))
    assert key == pseudonym_key(keys[0]) and re.fullmatch("[0-9a-f]{16}", key_fingerprint(key))
    assert key_fingerprint(key) not in key.hex() and key_fingerprint(key) != key_fingerprint(os.urandom(32))
    assert base64.b64encode(key).decode() not in repr(KeySource("environment", "DURE_PUBLISH_KEY"))
