"""Which of the columns that a site leaves out nobody reads: those need not be kept."""

from __future__ import annotations

from pathlib import Path

from site_folder import VIEW, changed, load

from dure.site.columns import left_behind


def spec(source: str, names: str) -> str:
    return changed(f"{source}, key:", f"{source}, left_out: {{쓰지 않는다: [{names}]}}, key:")


def test_only_what_nothing_reads(tmp_path: Path) -> None:
    site = load(tmp_path, spec('"환자*.csv"', "환자번호, 생년월일, 성별, 주민번호, 성명"))
    assert left_behind(site, "patient") == {"성명"}
    assert left_behind(site, "visit") == frozenset()


def test_conditions_and_keys_are_read(tmp_path: Path) -> None:
    text = changed(
        "    key: [내원번호, 순번]\n", "    key: [내원번호, 순번]\n    left_out: {쓰지 않는다: [순번, 구분, 비고]}\n"
    )
    assert left_behind(load(tmp_path, text), "diagnosis") == {"비고"}


def test_a_view_reads_what_its_text_mentions_and_what_entries_take_through_it(tmp_path: Path) -> None:
    text = spec("처방.csv", "처방코드, 용량, memo, NOTE, 비고")
    view = VIEW.replace("SELECT o.*", "SELECT o.*, upper(o.MEMO) AS m")
    site = load(tmp_path, text, {"hospitals/garam/views/order_coded.sql": view})
    assert left_behind(site, "orders") == {"NOTE", "비고"}
