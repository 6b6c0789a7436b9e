"""`dure init`: folders to start from, like an example and from the files of an extract."""

from __future__ import annotations

import gzip
import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dure.cli import main
from dure.settings import shipped_sites
from dure.site import load_site

SECRET = "홍길동"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def extract(files: dict[str, bytes]) -> None:
    for name, content in files.items():
        path = Path("자료") / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def drafted(files: dict[str, bytes]) -> str:
    extract(files)
    assert main(["init", "saebyeok", "--from", "자료", "--quiet"]) == 0
    return Path("sites/saebyeok/site.yaml").read_text("utf-8")


def source(text: str) -> list[str]:
    """The lines of the one source of a draft."""
    return [line.strip() for line in text.split("sources:\n")[1].split("ignored:\n")[0].splitlines()[1:]]


# ---------------------------------------------------------------- --like


def test_a_copy_has_the_new_id_and_validates(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["init", "haneul", "--like", "synthea"]) == 0
    readme = shipped_sites() / "synthea/README.md"  # type: ignore[operator]
    assert capfd.readouterr() == (
        "sites/haneul: a copy of synthea\n"
        f"  without README.md, which stays at {readme}\n"
        "next:\n"
        "  1. edit sites/haneul/site.yaml: first name, holder and extract_date under site, then sources and tables\n"
        "  2. dure validate haneul --source EXTRACT\n",
        "",
    )
    ours, theirs = Path("sites/haneul/site.yaml"), readme.parent / "site.yaml"
    assert ours.read_text("utf-8") == theirs.read_text("utf-8").replace("id: synthea", "id: haneul")
    assert load_site("haneul", [Path("sites")]).spec.site.id == "haneul"
    assert sorted(p.name for p in Path("sites/haneul").iterdir()) == ["maps", "site.yaml", "views"]


def test_what_is_there_stays(here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (here / "sites/haneul").mkdir(parents=True)
    (here / "sites/haneul/note.txt").write_text("mine", "utf-8")
    assert main(["init", "haneul", "--like", "synthea"]) == 2
    assert capfd.readouterr().err == (
        "Error: sites/haneul: is already there\n"
        "    nothing was changed; choose another name, or move that folder away first\n"
    )
    assert [path.name for path in (here / "sites").rglob("*")] == ["haneul", "note.txt"]


def test_a_copy_of_an_own_site_leaves_its_patients_and_its_block_behind(
    here: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    own = here / "병원 설정/bada"
    shutil.copytree(shipped_sites() / "synthea", own)  # type: ignore[operator]
    text = (own / "site.yaml").read_text("utf-8").replace("  id: synthea", '  consortium: dongnae\n  id: "bada"')
    (own / "site.yaml").write_text(text, "utf-8")
    (own / "exclusions.csv").write_text(f"번호,date,reason\n{SECRET},2024-01-01,거부\n", "utf-8")
    (own / "concepts.csv").write_text("concept_id\n", "utf-8")
    (own / ".git").mkdir()
    assert main(["init", "새벽", "--like", "bada", "--sites", "병원 설정"]) == 0
    out = capfd.readouterr().out
    made = here / "병원 설정/새벽"
    assert sorted(path.name for path in made.iterdir()) == ["maps", "site.yaml", "views"]
    assert (made / "site.yaml").read_text("utf-8") == text, "a name in Hangul is no id: the person gives one"
    assert "without exclusions.csv" in out and "without concepts.csv" in out
    assert "it names the consortium dongnae" in out
    assert "first id, name, holder" in out
    assert "dure validate '새벽' --sites '병원 설정' --source EXTRACT" in out
    assert main(["init", "saebyeok", "--like", "bada", "--sites", "병원 설정", "--quiet"]) == 0
    assert "  id: saebyeok\n" in (here / "병원 설정/saebyeok/site.yaml").read_text("utf-8")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["haneul", "--like", "sinthea"], "--like: no site 'sinthea' (closest: 'synthea')\n    sites there: "),
        (["haneul"], "--like, --from: exactly one of them is needed"),
        (["haneul", "--like", "synthea", "--from", "."], "--like, --from: exactly one of them is needed"),
        (["--like", "synthea"], "SITE: not given"),
        (["../haneul", "--like", "synthea"], "SITE: '../haneul' is not the name of a site"),
        (["..", "--like", "synthea"], "SITE: '..' is not the name of a site"),
        ([".x", "--like", "synthea"], "SITE: '.x' is not the name of a site"),
        (["hanuel[1]", "--like", "synthea"], "SITE: 'hanuel[1]' is not the name of a site"),
        (["haneul", "--from", "자료"], "--from: 자료 is no folder"),
    ],
)
def test_refusals(arguments: list[str], said: str, here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["init", *arguments]) == 2
    assert capfd.readouterr().err.startswith(f"Error: {said}")
    assert list(here.iterdir()) == []


def test_a_folder_that_cannot_be_made(here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (here / "sites").write_text("a file", "utf-8")
    assert main(["init", "haneul", "--like", "synthea"]) == 2
    assert capfd.readouterr().err.startswith("Error: sites/haneul: cannot be written: ")


# ---------------------------------------------------------------- --from


def test_a_draft_validates_and_says_what_it_found(capfd: pytest.CaptureFixture[str]) -> None:
    extract(
        {
            "환자.csv": f"번호,이름,생년월일\n1,{SECRET},19800101\n2,{SECRET},19810203\n".encode("cp949"),
            "lab_202401.csv": b"",
            "lab_202402.csv": f"1\t{SECRET}\t2024.03.05 14:30\n2\t{SECRET}\t2024.03.06 09:00\n".encode(),
            "메모.xlsx": b"PK\x03\x04" + bytes(30),
        }
    )
    assert main(["init", "saebyeok", "--from", "자료", "--sites", "병원"]) == 0
    text = Path("병원/saebyeok/site.yaml").read_text("utf-8")
    shown = capfd.readouterr().out
    assert shown == (
        "병원/saebyeok: a draft for 3 kinds of files\n"
        "  lab_*.csv (2): csv, utf-8, 3 columns; no header line was recognised: give the columns their names\n"
        "  메모.xlsx (1): an archive or a spreadsheet: unpack it, or export text\n"
        "  환자.csv (1): csv, cp949, 3 columns\n"
        "next:\n"
        "  1. edit 병원/saebyeok/site.yaml: look at every guess, then describe one source after the other under tables\n"
        "  2. dure validate saebyeok --sites '병원' --source '자료'\n"
    ).replace("'병원'", "병원" if "'병원'" not in shown else "'병원'")
    assert SECRET not in text
    assert "defaults: {formats: ['yyyy.MM.dd HH:mm', yyyyMMdd]}\n" in text
    assert "  lab:\n" in text and "  file_1:\n" in text
    assert "# columns: [번호, 이름, 생년월일]\n" in text
    assert "may_be_empty: true  # 1 of 2 files have no byte: is that right?\n" in text
    assert main(["validate", "saebyeok", "--sites", "병원", "--source", "자료"]) == 0
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    ("content", "lines"),
    [
        ("no,when\n1,2024-01-02T09:00:00Z\n1,2024-01-03T09:00:00Z\n".encode("utf-8-sig"), ["# columns: ['no', when]", "# key: the columns that tell rows apart"]),
        ("번호|값\n1|가\n2|나\n".encode("utf-16"), ["encoding: utf-16", "delimiter: '|'", "# columns: [번호, 값]", "# key: [번호] tells the first rows apart"]),
        ("환자 목록 2024\n번호;값\n1;가\n2;나\n".encode(), ["delimiter: ;", "skip_lines: 1", "# columns: [번호, 값]", "# key: [번호] tells the first rows apart"]),
        (gzip.compress("번호,값\n1,가\n1,나\n".encode()), ["# columns: [번호, 값]", "# key: [값] tells the first rows apart"]),
        ('번호,값\n1,"가,\n나"\n번호,값\n2,다\n총 2건\n'.encode(), ["# columns: [번호, 값]", "# key: [번호] tells the first rows apart"]),
    ],
    ids=["mark", "utf-16", "title", "gzip", "joined"],
)  # fmt: skip
def test_kinds_of_text(content: bytes, lines: list[str]) -> None:
    assert source(drafted({"a.csv": content})) == ["path: a.csv", *lines]


@pytest.mark.parametrize(
    ("encoding", "unit"), [("utf-8", []), ("cp949", ["encoding: cp949", "unit: bytes"])], ids=["characters", "bytes"]
)
def test_fixed_width_counts_what_makes_the_lines_alike(encoding: str, unit: list[str]) -> None:
    cells = [("00000101", SECRET), ("00000102", "황보"), ("00000103", "A")]
    width = 10
    lines = [
        number.encode() + name.encode(encoding).ljust(width) if unit else f"{number}{name:<{width}}".encode()
        for number, name in cells
    ]
    text = drafted({"pt.dat": b"\r\n".join([*lines, b""])})
    written = [line for line in source(text) if not line.startswith("#")]
    head, rest = written[:2], written[2:]
    assert head == ["path: pt.dat", "format: fixed"]
    assert rest == [*unit, "columns: {line: [1, 18]}"]
    assert SECRET not in text


@pytest.mark.parametrize(
    "lines",
    [
        f"{SECRET},남,19800101\n이아침,여,19810101\n",
        f"{SECRET},남,\n이아침,여,19810101\n황보,여,19820101\n",
        f"{SECRET},남,NULL\n이아침,여,19810101\n황보,남,19820101\n",
        f"{SECRET},남,-\n이아침,여,19810101\n황보,남,19820101\n",
        f"{SECRET},남\n",
        f"{SECRET},남\n이아침,여\n",
    ],
    ids=["typed", "empty", "a word that comes again", "a sign", "one line", "words alone"],
)
def test_a_first_line_that_may_be_a_patient_is_no_header(
    lines: str, here: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert SECRET not in drafted({"a.csv": lines.encode()})
    shutil.rmtree(here / "sites")
    assert main(["init", "saebyeok", "--from", "자료"]) == 0
    assert SECRET not in capfd.readouterr().out


def test_columns_that_only_some_months_have() -> None:
    lines = source(
        drafted({"a_1.csv": b"no,code\n1,A\n", "a_2.csv": b"no,code,rank\n1,A,1\n", "a_3.csv": b"no,code\n"})
    )
    assert lines[:2] == ["path: a_*.csv", "optional: [rank]  # not every file has it"]


def test_a_later_file_without_a_header_shows_no_patient() -> None:
    text = drafted({"a_1.csv": b"no,name\n1,A\n", "a_2.csv": f"2,{SECRET}\n".encode()})
    assert SECRET not in text
    assert source(text)[0] == "# the headers of the files differ: declare a source for each layout"


def test_parquet_names_its_columns_and_dates(here: Path) -> None:
    (here / "자료").mkdir()
    table = pa.table({"번호": pa.array([1], pa.int64()), "일시": pa.array([0], pa.timestamp("us"))})
    pq.write_table(table, here / "자료/rx.parquet")
    text = drafted({})
    assert "defaults: {formats: ['yyyy-MM-dd''T''HH:mm:ss']}" in text
    assert source(text) == [
        "path: rx.parquet", "# columns: [번호, 일시]", "# key: the columns that tell rows apart"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "every file that was looked at is empty or cannot be read"),
        (bytes(range(128, 256)) * 4, "not text in UTF-8, CP949 or UTF-16: ask whoever exports it"),
        (b"PAR1 broken", "a damaged Parquet file"),
    ],
    ids=["empty", "bytes", "parquet"],
)
def test_an_extract_of_which_nothing_can_be_said(content: bytes, said: str, capfd: pytest.CaptureFixture[str]) -> None:
    extract({"a.bin": content})
    assert main(["init", "saebyeok", "--from", "자료"]) == 2
    assert capfd.readouterr().err == f"Error: a.bin: {said}\n    in 자료\n"
    assert not Path("sites").exists()


def test_an_extract_without_files(here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (here / "자료").mkdir()
    assert main(["init", "saebyeok", "--from", "자료"]) == 2
    assert capfd.readouterr().err.startswith("Error: --from: 자료 has no files")
