"""Landing an old extract and then the changes to a new one is landing the new extract, night after night."""

from __future__ import annotations

import tempfile
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dure.landing import Base, Landed, land_source
from dure.site.spec import Defaults, FileSource

COLUMNS = ("번호", "순번", "환자", "값")
KEYS = st.tuples(st.sampled_from(["1", "2", "가|나", "\\N"]), st.sampled_from(["", "1", "2"]))
CELLS = st.sampled_from(["", "김", "이", " 박 ", "값,쉼표", '따"옴표', "똠"])
Rows = dict[tuple[str, str], tuple[str, str]]
EXTRACTS = st.dictionaries(KEYS, st.tuples(CELLS, CELLS), max_size=8)
OPTED_OUT = st.sets(st.sampled_from(["김", "이"]), max_size=2)


def line(*cells: str) -> str:
    return ",".join('"' + cell.replace('"', '""') + '"' for cell in cells) + "\n"


def full(rows: Rows) -> str:
    return line(*COLUMNS) + "".join(line(*key, *cells) for key, cells in rows.items())


def changes_between(old: Rows, new: Rows, noise: st.DataObject) -> list[str]:
    """Lines of changes that lead from one extract to the other, with some that later ones make void and some that say what is so."""
    lines = []
    for key in [*old, *(key for key in new if key not in old)]:
        if noise.draw(st.booleans()):
            lines.append(line(noise.draw(st.sampled_from("IU")), *key, "이", "지난값"))
        elif noise.draw(st.booleans()):
            lines.append(line("D", *key, "", ""))
        elif old.get(key) == new.get(key) and noise.draw(st.booleans()):
            continue
        lines.append(line("U" if key in old else "I", *key, *new[key]) if key in new else line("D", *key, "", ""))
    return lines


def content(landing: Path) -> Counter[tuple[object, ...]]:
    parts = sorted((landing / "dx").glob("*.parquet"))
    table = pa.concat_tables([pq.read_table(part) for part in parts])
    return Counter(tuple(row.values()) for row in table.drop(["_file", "_row"]).to_pylist())


def left_out(landing: Path) -> Counter[object]:
    path = landing / "_opted_out" / "dx.parquet"
    return Counter(pq.read_table(path)["_key"].to_pylist()) if path.exists() else Counter()


def land(root: Path, night: str, files: dict[str, str], base: Path | None, opted_out: set[str]) -> tuple[Path, Landed]:
    extract, out = root / f"{night}-extract", root / night
    extract.mkdir()
    for name, text in files.items():
        (extract / name).write_bytes(text.encode("cp949"))
    spec = {"path": "전체.csv", "key": list(COLUMNS[:2]),
            "changes": {"path": "변경*.csv", "marker": "구분", "insert": "I", "update": "U", "delete": "D"}}  # fmt: skip
    landed = land_source(
        "dx",
        FileSource.model_validate(spec),
        defaults=Defaults(encoding="cp949"),
        extract=extract,
        out=out,
        person=("환자",),
        opted_out=frozenset(opted_out),
        base=Base(base.name, base) if base else None,
    )
    ends = landed.rows_landed + sum(landed.rejected.values()) + landed.opted_out + sum(landed.by_changes.values())
    assert landed.rows_read + landed.rows_before == ends
    assert sum(content(out).values()) == landed.rows_landed
    return out, landed


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(extracts=st.lists(EXTRACTS, min_size=2, max_size=4), opted_out=OPTED_OUT, noise=st.data())
def test_changes_on_the_old_are_the_new(extracts: list[Rows], opted_out: set[str], noise: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        last, _ = land(root, "0", {"전체.csv": full(extracts[0])}, None, opted_out)
        for night, (old, new) in enumerate(pairwise(extracts), 1):
            lines = changes_between(old, new, noise)
            cut = noise.draw(st.integers(0, len(lines)))
            head = line("구분", *COLUMNS)
            files = {"변경1.csv": head + "".join(lines[:cut]), "변경2.csv": head + "".join(lines[cut:])}
            together = {"전체.csv": full(old)} if noise.draw(st.booleans()) else {}
            changed, _ = land(root, f"{night}", files | together, last, opted_out)
            expected, _ = land(root, f"{night}-full", {"전체.csv": full(new)}, None, opted_out)
            assert content(changed) == content(expected)
            assert left_out(changed) == left_out(expected)
            again, landed = land(root, f"{night}-again", files, changed, opted_out)
            assert content(again) == content(expected)
            assert left_out(again) == left_out(expected)
            assert landed.touched is None or opted_out
            last = again


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(extracts=st.lists(st.dictionaries(st.sampled_from("abc"), EXTRACTS, min_size=1), min_size=2, max_size=3))
def test_files_used_again_are_files_read(extracts: list[dict[str, Rows]]) -> None:
    """A night on top of another is the same as a first night."""
    with tempfile.TemporaryDirectory() as folder:
        root, last = Path(folder), None
        for night, files in enumerate(extracts):
            made = {}
            for kind, base in (("on", last), ("alone", None)):
                extract, out = root / f"{night}-{kind}-extract", root / f"{night}-{kind}"
                extract.mkdir()
                for name, rows in files.items():
                    (extract / f"{name}.csv").write_text(full(rows), "utf-8")
                source = FileSource.model_validate({"path": "*.csv", "key": list(COLUMNS[:2])})
                land_source(
                    "dx", source, defaults=Defaults(), extract=extract, out=out, base=Base("x", base) if base else None
                )
                made[kind] = out
            assert content(made["on"]) == content(made["alone"])
            assert [p.name for p in sorted((made["on"] / "dx").iterdir())] == [
                p.name for p in sorted((made["alone"] / "dx").iterdir())
            ]
            last = made["on"]
