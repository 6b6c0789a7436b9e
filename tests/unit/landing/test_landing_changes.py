"""Change files: what they do to the rows landed before, and that every row and change is accounted for."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from changing_extract import SPEC, Nights, changes, csv

from dure.errors import ExtractNotReadyError, SourceError
from dure.landing import Landed
from dure.publish.forgetting.rewriting import filtered

FULL = csv("1,1,김,A01", "1,2,김,B02", "2,1,이,C03", "3,1,박,D04")


@pytest.fixture
def nights(tmp_path: Path) -> Nights:
    made = Nights(tmp_path)
    made.land({"진단.csv": FULL})
    return made


def adds_up(landed: Landed) -> bool:
    ends = landed.rows_landed + sum(landed.rejected.values()) + landed.opted_out + sum(landed.by_changes.values())
    return landed.rows_read + landed.rows_before == ends


@pytest.mark.parametrize("encoding", ["utf-8", "cp949", "utf-16"])
def test_insert_update_and_delete(tmp_path: Path, encoding: str) -> None:
    nights = Nights(tmp_path)
    nights.land({"진단.csv": FULL}, encoding)
    landed = nights.land({"진단_변경.csv": changes("I,4,1,최,똠", "U,1,2,김,B99", "D,3,1,,")}, encoding)
    assert nights.rows() == [
        ("1", "1", "김", "A01"),
        ("1", "2", "김", "B99"),
        ("2", "1", "이", "C03"),
        ("4", "1", "최", "똠"),
    ]
    assert (landed.rows_read, landed.rows_before, landed.rows_landed) == (3, 4, 4)
    assert landed.by_changes == {"replaced": 1, "deleted": 1, "deletes": 1}
    assert nights.touched() == {"4|1": "inserted", "1|2": "updated", "3|1": "deleted"}
    assert (landed.unchanged, landed.base, landed.warnings) == (False, "night-1", ())
    assert landed.columns == ("내원번호", "순번", "환자번호", "상병코드")


def test_the_last_change_of_a_key_wins_by_file_name_then_row(nights: Nights) -> None:
    landed = nights.land(
        {
            "진단_변경2.csv": changes("U,1,1,김,LAST", "I,9,1,최,Z1", "D,9,1,,"),
            "진단_변경1.csv": changes("D,1,1,,", "D,2,1,,", "U,2,1,이,C99"),
        }
    )
    assert nights.rows() == [
        ("1", "1", "김", "LAST"),
        ("1", "2", "김", "B02"),
        ("2", "1", "이", "C99"),
        ("3", "1", "박", "D04"),
    ]
    assert landed.by_changes == {"replaced": 2, "deletes_of_unknown_key": 1, "superseded": 3}
    assert adds_up(landed)


def test_the_same_change_file_again_changes_nothing(nights: Nights) -> None:
    file = {"진단_변경.csv": changes("I,4,1,최,E05", "U,1,2,김,B99", "D,3,1,,")}
    nights.land(file)
    rows, inodes = nights.rows(), nights.inodes()
    landed = nights.land(file)
    assert (nights.rows(), nights.inodes()) == (rows, inodes)
    assert landed.by_changes == {"deletes_of_unknown_key": 1, "same_as_before": 2}
    assert landed.unchanged and landed.touched is None
    assert landed.same_parts == {part.name: part.name for part in nights.parts()}
    assert [w.found for w in landed.warnings] == ["1 deletes of keys that are not there"]


def test_a_file_of_one_name_every_night_keeps_rows_apart(nights: Nights) -> None:
    """Engines tell rows by _file and _row."""
    nights.land({"진단_변경.csv": changes("I,4,1,최,E05")})
    nights.land({"진단_변경.csv": changes("I,5,1,최,E06")})
    places = nights.table().select(["_file", "_row"]).to_pylist()
    assert len({tuple(place.values()) for place in places}) == 6
    assert sorted({place["_file"].split("@")[0] for place in places}) == ["진단.csv", "진단_변경.csv"]


def test_keys_that_are_there_or_not_against_their_marker(nights: Nights) -> None:
    landed = nights.land({"진단_변경.csv": changes("I,1,1,김,A99", "U,7,1,최,Z1", "D,8,1,,", "I,2,1,이,C03")})
    assert ("1", "1", "김", "A99") in nights.rows() and ("7", "1", "최", "Z1") in nights.rows()
    assert [w.found for w in landed.warnings] == [
        "1 deletes of keys that are not there",
        "1 updates of keys that are not there",
        "1 inserts of keys that are there with other content",
    ]
    assert landed.by_changes == {"replaced": 1, "deletes_of_unknown_key": 1, "same_as_before": 1}


def test_one_marker_for_what_is_new_or_changed(tmp_path: Path) -> None:
    nights = Nights(tmp_path, changes={"path": "변경.csv", "marker": "구분", "update": ["M", ""], "delete": "D"})
    nights.land({"진단.csv": FULL})
    landed = nights.land({"변경.csv": changes("M,1,1,김,A99", ",7,1,최,Z1", "D,2,1,,")})
    assert nights.rows() == [
        ("1", "1", "김", "A99"),
        ("1", "2", "김", "B02"),
        ("3", "1", "박", "D04"),
        ("7", "1", "최", "Z1"),
    ]
    assert landed.warnings == ()


def test_a_full_file_and_changes_together(nights: Nights) -> None:
    landed = nights.land({"진단.csv": FULL, "진단_변경.csv": changes("D,1,1,,", "I,4,1,최,E05")})
    assert nights.rows() == [
        ("1", "2", "김", "B02"),
        ("2", "1", "이", "C03"),
        ("3", "1", "박", "D04"),
        ("4", "1", "최", "E05"),
    ]
    assert (landed.rows_read, landed.rows_before, landed.by_changes) == (6, 0, {"deleted": 1, "deletes": 1})
    assert [file.path for file in landed.files] == ["진단.csv", "진단_변경.csv"]
    assert not list(nights.out.glob("_arriving*"))


def test_a_night_without_any_file_keeps_the_rows(nights: Nights) -> None:
    rows, inodes = nights.rows(), nights.inodes()
    landed = nights.land({"다른.csv": "a\n"})
    assert (nights.rows(), nights.inodes()) == (rows, inodes)
    assert (landed.unchanged, landed.files, landed.rows_read, landed.rows_before) == (True, (), 0, 4)
    assert [w.found for w in landed.warnings] == ["no file came; the rows are those of snapshot night-1"]


def test_without_a_full_extract_there_is_nothing_to_change(tmp_path: Path) -> None:
    with pytest.raises(ExtractNotReadyError, match="no full extract of it is there, and none was landed before"):
        Nights(tmp_path).land({"진단_변경.csv": changes("I,4,1,최,E05")})


def test_other_null_values_need_a_full_extract(nights: Nights) -> None:
    with pytest.raises(ExtractNotReadyError, match="its key, null_values, nfkc or columns left out are not those of"):
        nights.land({"진단_변경.csv": changes("I,4,1,최,E05")}, spec={"null_values": ["-"]})


def test_columns_that_do_not_fit_the_rows_that_stay(nights: Nights) -> None:
    with pytest.raises(SourceError, match="the change files have no column 환자번호"):
        nights.land({"진단_변경.csv": csv("I,4,1,E05", header="구분,내원번호,순번,상병코드")}, person=())
    with pytest.raises(SourceError, match="have columns that the rows landed before do not: 상병명"):
        nights.land({"진단_변경.csv": csv("I,4,1,최,E05,x", header="구분,내원번호,순번,환자번호,상병코드,상병명")})
    with pytest.raises(SourceError, match=r"sources\.dx\.changes\.marker: no column '구분'"):
        nights.land({"진단_변경.csv": csv("4,1,최,E05")})
    with pytest.raises(SourceError, match=r"sources\.dx\.key: no column '순번'"):
        nights.land({"진단_변경.csv": csv("I,4,최,E05", header="구분,내원번호,환자번호,상병코드")})


def test_records_that_cannot_be_applied_are_rejected(nights: Nights) -> None:
    landed = nights.land(
        {"진단_변경.csv": changes("X,1,1,김,A99", "U,,,김,A99", "U,1,1", "u,2,1,이,C99", "U,2,1,이,C98")}
    )
    assert landed.rejected == {"change_without_key": 1, "unknown_marker": 2, "wrong_number_of_fields": 1}
    assert ("2", "1", "이", "C98") in nights.rows() and ("1", "1", "김", "A01") in nights.rows()
    rejects = pq.read_table(nights.out / "_rejects" / "dx.parquet").to_pylist()
    assert sorted((row["row"], row["reason"]) for row in rejects) == [
        (2, "unknown_marker"), (3, "change_without_key"), (4, "wrong_number_of_fields"), (5, "unknown_marker"),
    ]  # fmt: skip
    raw = (nights.out / "_rejects" / "dx.raw").read_bytes()
    records = {row["row"]: raw[row["raw_offset"] : row["raw_offset"] + row["raw_bytes"]] for row in rejects}
    assert records[5].decode() == "u,2,1,이,C99"


def test_a_marker_that_is_declared_wrongly_is_an_error(nights: Nights) -> None:
    rows = [f"i,{n},1,최,E05" for n in range(20)]
    with pytest.raises(SourceError, match="20 of 20 changes cannot be applied; most of them: is a change whose marker"):
        nights.land({"진단_변경.csv": changes(*rows)})


def test_who_opts_out_leaves_the_rows_that_stay(nights: Nights) -> None:
    landed = nights.land({"진단_변경.csv": changes("U,1,1,김,A99", "I,5,1,김,Z1")}, opted_out=frozenset({"김"}))
    assert nights.rows() == [("2", "1", "이", "C03"), ("3", "1", "박", "D04")]
    assert (landed.opted_out, landed.by_changes) == (3, {"replaced": 1})
    assert nights.touched() == {"1|1": "opted_out", "5|1": "opted_out", "1|2": "opted_out"}
    again = nights.land({"진단_변경.csv": changes("I,6,1,최,Z1")}, opted_out=frozenset({"김"}))
    assert (again.opted_out, again.rows_before, again.rows_landed) == (3, 5, 3)
    left = nights.land({"진단_변경.csv": changes("D,5,1,,")}, opted_out=frozenset({"김"}))
    assert (left.opted_out, left.by_changes) == (2, {"deleted": 1, "deletes": 1})
    back = nights.land({"진단_변경.csv": changes("I,7,1,최,Z1")})
    assert [w.found for w in back.warnings] == ["1 persons are no longer left out, but their rows are gone"]


def test_who_opts_out_leaves_even_where_no_file_came(nights: Nights) -> None:
    landed = nights.land({"다른.csv": "a\n"}, opted_out=frozenset({"이"}))
    assert [row[2] for row in nights.rows()] == ["김", "김", "박"]
    assert (landed.opted_out, landed.unchanged, nights.touched()) == (1, False, {"2|1": "opted_out"})


def test_all_rows_may_go_and_come_back(nights: Nights) -> None:
    nights.land({"진단_변경.csv": changes("D,1,1,,", "D,1,2,,", "D,2,1,,", "D,3,1,,")})
    assert nights.rows() == [] and len(nights.parts()) == 1
    landed = nights.land({"진단_변경.csv": changes("I,1,1,김,A01")})
    assert nights.rows() == [("1", "1", "김", "A01")]
    assert landed.rows_before == 0


def test_files_without_a_byte_are_nights_without_changes(tmp_path: Path) -> None:
    nights = Nights(tmp_path, may_be_empty=True)
    nights.land({"진단.csv": FULL})
    landed = nights.land({"진단_변경.csv": ""})
    assert (landed.unchanged, [file.bytes for file in landed.files]) == (True, [0])


def test_many_small_parts_become_one(nights: Nights, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dure.landing.apply.MANY_PARTS", 3)
    for n in range(10, 20):
        nights.land({"진단_변경.csv": changes(f"I,{n},1,최,E{n}")})
        assert len(nights.parts()) <= 5
    assert len(nights.rows()) == 14


def test_rows_of_one_key_are_replaced_together(tmp_path: Path) -> None:
    nights = Nights(tmp_path, keep={"last": ["상병코드"]})
    nights.land({"진단.csv": csv("1,1,김,A01", "1,1,김,A02", "1,1,김,A02")})
    landed = nights.land({"진단_변경.csv": changes("U,1,1,김,A02")})
    assert (nights.rows(), landed.by_changes) == ([("1", "1", "김", "A02")], {"replaced": 3})
    assert nights.land({"진단_변경.csv": changes("U,1,1,김,A02")}).unchanged


def test_left_out_columns_are_not_asked_of_change_files(tmp_path: Path) -> None:
    nights = Nights(tmp_path)
    wide = "내원번호,순번,환자번호,상병코드,상병명"
    nights.land({"진단.csv": csv("1,1,김,A01,콜레라", header=wide)}, left_behind=frozenset({"상병명"}))
    landed = nights.land({"진단_변경.csv": changes("U,1,1,김,B01")}, left_behind=frozenset({"상병명"}))
    assert (nights.rows(), landed.columns) == ([("1", "1", "김", "B01")], tuple(wide.split(",")))


def test_fixed_width_and_files_without_a_header(tmp_path: Path) -> None:
    fixed = {
        "path": "진단.txt", "format": "fixed", "key": "a", "columns": {"a": ["1", "2"], "b": ["3", "2"]},
        "changes": {"path": "변경.txt", "marker": "m", "update": "U", "delete": "D",
                    "columns": {"m": ["1", "1"], "a": ["2", "2"], "b": ["4", "2"]}},
    }  # fmt: skip
    nights = Nights(tmp_path / "fixed", **fixed)
    (tmp_path / "fixed").mkdir()
    nights.land({"진단.txt": "01가나\n02다라\n"}, person=())
    nights.land({"변경.txt": "U01마바\nD02\nU03사아\n"}, person=())
    assert nights.table().select(["a", "b"]).to_pylist() == [{"a": "01", "b": "마바"}, {"a": "03", "b": "사아"}]
    bare = {"path": "진단.csv", "header": ["a", "b"], "key": "a",
            "changes": {"path": "변경.csv", "marker": "m", "header": ["a", "b", "m"], "insert": "I", "delete": "D"}}  # fmt: skip
    nights = Nights(tmp_path / "bare", **bare)
    (tmp_path / "bare").mkdir()
    nights.land({"진단.csv": "1,가\n2,나\n"}, person=())
    nights.land({"변경.csv": "2,,D\n3,다,I\n"}, person=())
    assert nights.table().select(["a", "b"]).to_pylist() == [{"a": "1", "b": "가"}, {"a": "3", "b": "다"}]


def test_the_result_is_plain(nights: Nights) -> None:
    landed = nights.land({"진단_변경.csv": changes("I,4,1,최,E05")})
    assert json.loads(json.dumps(landed.as_json()))["touched"] == "_touched/dx.parquet"


def test_a_full_file_that_is_left_over_does_not_undo_changes(nights: Nights) -> None:
    nights.land({"진단.csv": FULL, "진단_변경.csv": changes("U,1,1,김,A99")})
    landed = nights.land({"진단.csv": FULL, "진단_변경.csv": changes("I,4,1,최,E05")})
    rows = nights.rows()
    assert ("1", "1", "김", "A99") in rows and ("4", "1", "최", "E05") in rows and len(rows) == 5
    assert [w.found for w in landed.warnings] == [
        "the full files are those of before; the rows of snapshot night-2 are gone on from"
    ]
    assert (landed.rows_read, landed.rows_before) == (1, 4)
    assert [file.path for file in landed.files] == ["진단.csv", "진단_변경.csv"]
    assert nights.land({"진단.csv": FULL}).unchanged
    assert nights.rows() == rows
    nights.land({"진단.csv": FULL}, read_all=True)
    assert len(nights.rows()) == 4 and ("1", "1", "김", "A01") in nights.rows()


def test_a_folder_that_collects_changes(nights: Nights) -> None:
    first, second = changes("U,1,1,김,A98", "I,4,1,최,E05"), changes("U,1,1,김,A99")
    nights.land({"진단.csv": FULL, "진단_변경01.csv": first})
    landed = nights.land({"진단.csv": FULL, "진단_변경01.csv": first, "진단_변경02.csv": second})
    assert ("1", "1", "김", "A99") in nights.rows() and len(nights.rows()) == 5
    assert landed.by_changes == {"replaced": 1, "same_as_before": 1, "superseded": 1}


def test_a_new_full_extract_begins_anew(nights: Nights) -> None:
    nights.land({"진단_변경.csv": changes("U,1,1,김,A99")})
    landed = nights.land({"진단.csv": FULL.replace("D04", "D05")})
    assert ("1", "1", "김", "A01") in nights.rows() and ("3", "1", "박", "D05") in nights.rows()
    assert (landed.rows_before, landed.rows_read) == (0, 4)


def test_some_of_the_full_files_are_no_extract(tmp_path: Path) -> None:
    nights = Nights(tmp_path, path=["외래.csv", "입원.csv"])
    nights.land({"외래.csv": FULL, "입원.csv": csv("9,1,최,Z1")})
    with pytest.raises(ExtractNotReadyError, match=r"no file matches '입원\.csv'"):
        nights.land({"외래.csv": FULL, "진단_변경.csv": changes("D,1,1,,")})


def test_rows_of_a_person_forgotten_since_stay_away(nights: Nights) -> None:
    """`dure forget` has written the landed parts anew."""
    part = nights.parts()[0]
    filtered(part, lambda table: pc.equal(table["환자번호"], "김").combine_chunks())
    landed = nights.land({"진단_변경.csv": changes("U,1,2,김,B99", "U,2,1,이,C99")}, opted_out=frozenset({"김"}))
    assert nights.rows() == [("2", "1", "이", "C99"), ("3", "1", "박", "D04")]
    assert (landed.rows_before, landed.opted_out) == (2, 1)


def test_a_part_that_was_changed_by_hand_is_not_gone_on_from(nights: Nights) -> None:
    part = nights.parts()[0]
    pq.write_table(pq.read_table(part).slice(1), part)
    with pytest.raises(ExtractNotReadyError, match="is not what was landed: damaged, or changed by hand"):
        nights.land({"진단_변경.csv": changes("U,1,2,김,B99")})
    part.unlink()
    with pytest.raises(ExtractNotReadyError, match="is not there"):
        nights.land({"진단_변경.csv": changes("U,1,2,김,B99")})


def test_a_snapshot_before_is_never_written_to(nights: Nights) -> None:
    before = {part: part.read_bytes() for part in nights.parts()}
    nights.land({"진단_변경.csv": changes("I,4,1,최,E05")})
    nights.land({"진단_변경.csv": changes("U,4,1,최,E06", "D,1,1,,")})
    assert {part: part.read_bytes() for part in before} == before


def test_folded_and_optional_columns_and_another_order(tmp_path: Path) -> None:
    nights = Nights(tmp_path, key="번호", nfkc="단위", optional="비고")
    nights.land({"진단.csv": "번호,단위\n1,㎎\n"}, person=())
    nights.land({"진단_변경.csv": "단위,구분,번호\n㎕,I,2\n"}, person=())
    nights.land({"진단_변경.csv": "비고,번호,구분,단위\n새로,1,U,㎏\n"}, person=())
    rows = nights.table().select(["번호", "단위", "단위_nfkc", "비고"]).to_pylist()
    assert sorted(tuple(row.values()) for row in rows) == [("1", "㎏", "kg", "새로"), ("2", "㎕", "μl", None)]


def test_packed_and_parquet_changes(tmp_path: Path) -> None:
    nights = Nights(tmp_path, path="진단.csv*", changes=SPEC["changes"] | {"path": "변경.csv.gz"})
    nights.land({"진단.csv": FULL})
    nights.land({"변경.csv.gz": gzip.compress(changes("D,1,1,,").encode())})
    assert len(nights.rows()) == 3
    (tmp_path / "parquet").mkdir()
    nights = Nights(tmp_path / "parquet", path="진단.parquet", format="parquet", key="n",
                    changes=SPEC["changes"] | {"path": "변경.parquet"})  # fmt: skip
    whole, some = pa.BufferOutputStream(), pa.BufferOutputStream()
    pq.write_table(pa.table({"n": [1, 2], "값": [1.5, 2.0]}), whole)
    pq.write_table(pa.table({"구분": ["U", "D"], "n": [1, 2], "값": [2.5, None]}), some)
    nights.land({"진단.parquet": whole.getvalue().to_pybytes()}, person=())
    nights.land({"변경.parquet": some.getvalue().to_pybytes()}, person=())
    assert nights.table().select(["n", "값"]).to_pylist() == [{"n": "1", "값": "2.5"}]


def test_what_is_taken_out_of_a_shared_part_stays_in_the_other_snapshot(nights: Nights) -> None:
    first = nights.parts()[0]
    nights.land({"다른.csv": "a\n"})
    second = nights.parts()[0]
    assert second.stat().st_ino == first.stat().st_ino
    filtered(second, lambda table: pc.equal(table["환자번호"], "김").combine_chunks())
    assert (pq.read_metadata(first).num_rows, pq.read_metadata(second).num_rows) == (4, 2)
