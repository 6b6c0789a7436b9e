"""The guide's page about site folders: its example is a site that validates, and its tables name every key."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dure.cdm.roles import roles, spec_tables
from dure.landing import header_of, read_exclusions
from dure.site import Site, load_site, values
from dure.site.entries import Entry
from dure.site.shapes import Closed, Headed
from dure.site.spec import (
    Arrival,
    ChangeFiles,
    ConsortiumSpec,
    DatabaseSource,
    Defaults,
    Derive,
    FileSource,
    Merge,
    SiteInfo,
    Spec,
    ViewSource,
    VisitPolicy,
    Vocabulary,
)

PAGE = (Path(__file__).parents[3] / "docs/guide/site-folder.md").read_text(encoding="utf-8")
CONSORTIUM = "## A consortium\n"
KINDS = {
    "references": {"ref"},
    "coded": {"coded", "type"},
    "dates": {"moment", "end", "birth"},
    "numbers": {"number"},
    "texts": {"text"},
    "other": {"value", "event", "relationship"},
}


def section(title: str) -> str:
    after = PAGE.split(f"\n## {title}\n", 1)[1]
    return after.split("\n## ", 1)[0]


def table(text: str) -> list[list[str]]:
    """The rows of the first table of a text, its header among them."""
    lines = re.search(r"^\|.*\n\|[-|]+\n(?:\|.*\n?)*", text, re.MULTILINE)
    assert lines
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[0].splitlines()]
    return [rows[0], *rows[2:]]


def shown_files(text: str) -> dict[str, str]:
    """The files that a text shows: a path on a line of its own, then a block."""
    return dict(re.findall(r"^`([^`\n]+/[^`\n]+)`\n\n```[a-z]+\n(.*?)^```$", text, re.MULTILINE | re.DOTALL))


def write_files(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def loaded(root: Path) -> Site:
    """The site below `root`, held against an extract with the headers that the page lists."""
    listed = re.search(r"^```text\n(.*?)^```$", section("A small site"), re.MULTILINE | re.DOTALL)
    assert listed
    extract = root / "extract"
    extract.mkdir()
    for line in listed[1].splitlines():
        name, header = line.split(" ")
        (extract / name).write_text(header + "\n", encoding="cp949")
    return load_site("haneul", [root / "sites"], extract, header_of)


def test_the_small_site_validates(tmp_path: Path) -> None:
    write_files(tmp_path, shown_files(section("A small site")))
    site = loaded(tmp_path)
    assert site.warnings == ()
    assert {name for name, _, _ in site.spec.entries()} == {
        "person",
        "visit_occurrence",
        "condition_occurrence",
        "measurement",
    }


def test_the_small_site_validates_in_its_consortium(tmp_path: Path) -> None:
    files = shown_files(PAGE)
    spec = files["sites/haneul/site.yaml"]
    assert "holder: 하늘의료재단," in spec
    files["sites/haneul/site.yaml"] = spec.replace(
        "holder: 하늘의료재단,", "holder: 하늘의료재단, consortium: dongnae,"
    )
    write_files(tmp_path, files)
    site = loaded(tmp_path)
    assert site.warnings == ()
    assert site.visit_policy.open_stay == "start"
    assert ("남",) in site.maps["sex"].values
    assert [path.name for path in site.vocabularies["KCD7"].maps] == ["kcd.csv"]
    assert [concept.concept_id for concept in site.local_concepts] == [2_001_000_000]
    assert read_exclusions(tmp_path / "sites/haneul/exclusions.csv") == {"10023"}


def test_the_visit_policy_is_read(tmp_path: Path) -> None:
    files = shown_files(section("A small site"))
    policy = re.search(r"^```yaml\n(.*?)^```$", section("visit_policy"), re.MULTILINE | re.DOTALL)
    assert policy
    files["sites/haneul/site.yaml"] += policy[1]
    write_files(tmp_path, files)
    assert loaded(tmp_path).visit_policy.merge[0].becomes == 262


def test_keys_by_table_are_the_roles() -> None:
    header, *rows = table(section("Keys by CDM table"))
    assert header == ["table", *KINDS]
    said = {row[0].strip("`"): dict(zip(KINDS, row[1:], strict=True)) for row in rows}
    assert list(said) == list(spec_tables())
    for name, cells in said.items():
        for column, kinds in KINDS.items():
            expected = [
                f"**`{role.name}`**" if role.required else f"`{role.name}`"
                for role in roles(name).values()
                if role.kind in kinds
            ]
            assert [key for key in cells[column].split(", ") if key] == expected, (name, column)


def test_top_level_keys_are_those_of_the_spec() -> None:
    rows = table(section("Top-level keys"))[1:]
    assert {row[0].strip("`") for row in rows} == set(Spec.keys())
    required = {name for name, field in Spec.model_fields.items() if field.is_required()}
    assert {row[0].strip("`") for row in rows if row[1] == "yes"} == required


@pytest.mark.parametrize(
    ("title", "model"),
    [
        ("Sources: files", FileSource),
        ("Sources: databases", DatabaseSource),
        ("Change files", ChangeFiles),
        ("When an extract is ready", Arrival),
        ("Sources: views", ViewSource),
        ("Entries", Entry),
        ("Vocabularies", Vocabulary),
    ],
)
def test_keys_of_a_part_are_those_of_its_model(title: str, model: type[Closed]) -> None:
    rows = table(section(title))[1:]
    assert [key for row in rows for key in re.findall(r"`(\w+)`", row[0])] != []
    assert {key for row in rows for key in re.findall(r"`(\w+)`", row[0])} == set(model.keys())


def test_defaults_are_those_built_in() -> None:
    said = {
        row[0].strip("`"): row[1].strip("`") for row in table(section("Top-level keys").split("**`defaults`**")[1])[1:]
    }
    built_in = Defaults()
    assert set(said) == set(Defaults.keys())
    assert said["encoding"] == built_in.encoding
    assert said["delimiter"] == built_in.delimiter
    assert said["type_concept_id"] == str(built_in.type_concept_id)
    assert said["null_values"] == '[""]'
    assert built_in.null_values == [""]


@pytest.mark.parametrize("model", [SiteInfo, ConsortiumSpec, VisitPolicy, Merge, Derive])
def test_other_keys_are_mentioned(model: type[Closed]) -> None:
    for key in [*model.keys()]:
        assert re.search(rf"`{key}`|[{{ `]{key}:", PAGE), key


def test_every_shape_is_shown() -> None:
    shapes = section("Shapes of values")
    heads = {v.HEAD for v in vars(values).values() if isinstance(v, type) and issubclass(v, Headed) and v is not Headed}
    assert {head for head in heads if f"{{{head}:" not in shapes} == set()
