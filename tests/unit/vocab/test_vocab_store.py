"""Stores: immutable, by release and content, whole or not there."""

import json
import subprocess
import sys

import pytest
from vocab_athena_folder import concept, maps_to, write_athena

from dure.errors import ConfigurationError
from dure.vocab import load_athena, open_vocabulary, structural_concepts_missing


@pytest.fixture
def download(tmp_path):
    return write_athena(
        tmp_path / "athena",
        [concept(11, "A01.0", standard=""), concept(5, "S1", vocabulary="SNOMED"), concept(2_000_000_007, "L")],
        [maps_to(11, 5), maps_to(11, 404), maps_to(405, 11)],
        CONCEPT_ANCESTOR=[
            {
                "ancestor_concept_id": 5,
                "descendant_concept_id": 406,
                "min_levels_of_separation": 1,
                "max_levels_of_separation": 1,
            }
        ],
    )


def test_a_store_says_what_it_holds(download, tmp_path):
    told = []

    class Told:
        def table(self, name, rows, seconds):
            told.append((name, rows))

    store = load_athena(download, tmp_path / "stores", Told())

    assert store.release == "v9.9 01-JAN-26"
    assert store.folder.name == f"v9.9-01-JAN-26-{store.digest[:12]}"
    assert (store.counts["rows"]["CONCEPT"], store.counts["rows"]["CONCEPT_RELATIONSHIP"]) == (3, 3)
    assert store.counts["dangling"]["CONCEPT_RELATIONSHIP"] == 2
    assert store.counts["dangling"]["CONCEPT_ANCESTOR"] == 1
    assert told[0] == ("CONCEPT", 3) and told[-1] == ("code_targets", 3)
    assert store.concepts([2_000_000_007, 5, 9])["concept_code"].tolist() == ["S1", "L"]
    assert store.missing([0, 5, 9, 2**40, 11]) == [9, 2**40]
    assert structural_concepts_missing(store, [32817, 11]) == [32817]


def test_the_same_content_is_one_store_and_other_content_another(download, tmp_path):
    stores = tmp_path / "stores"
    first = load_athena(download, stores)
    stamps = {path.name: path.stat().st_mtime_ns for path in first.folder.iterdir()}
    again = load_athena(download, stores)
    assert again == first
    assert {path.name: path.stat().st_mtime_ns for path in again.folder.iterdir()} == stamps

    with (download / "CONCEPT.csv").open("a", encoding="utf-8") as stream:
        stream.write("\t".join(str(value) for value in concept(12, "B").values()) + "\n")
    other = load_athena(download, stores)
    assert other.digest != first.digest
    assert sorted(stores.iterdir()) == sorted([first.folder, other.folder])


def test_files_are_read_only(download, tmp_path):
    store = load_athena(download, tmp_path / "stores")
    assert {path.stat().st_mode & 0o222 for path in store.folder.iterdir()} == {0}


def test_a_path_may_be_a_store_or_a_download(download, tmp_path):
    store = open_vocabulary(download, tmp_path / "stores")
    assert open_vocabulary(store.folder, tmp_path / "elsewhere") == store
    assert not (tmp_path / "elsewhere").exists()


def test_what_a_dead_load_left_is_removed_and_a_living_one_kept(download, tmp_path):
    stores = tmp_path / "stores"
    dead, living = stores / ".loading-dead", stores / ".loading-living"
    dead.mkdir(parents=True)
    living.mkdir()
    hold = "import fcntl, os, sys; fcntl.flock(os.open(sys.argv[1], os.O_RDONLY), fcntl.LOCK_EX); print(1, flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", hold, str(living)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        holder.stdout.readline()
        load_athena(download, stores)
        holder.communicate(b"\n")
    assert not dead.exists()
    assert living.exists()


def test_loads_at_the_same_time_end_with_one_store(download, tmp_path):
    code = (
        "import sys; from pathlib import Path; from dure.vocab import load_athena; input();"
        "print(load_athena(Path(sys.argv[1]), Path(sys.argv[2])).folder.name)"
    )
    stores = tmp_path / "stores"
    loads = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(download), str(stores)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    for load in loads:
        load.stdin.write("\n")
        load.stdin.flush()
    names = {load.communicate()[0].strip() for load in loads}
    assert [load.returncode for load in loads] == [0, 0]
    assert names == {path.name for path in stores.iterdir()} and len(names) == 1


def damaged(folder, change):
    manifest = folder / "store.json"
    manifest.chmod(0o600)
    manifest.write_text(change(manifest.read_text(encoding="utf-8")), encoding="utf-8")


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (lambda text: text[:40], "is not JSON"),
        (lambda text: json.dumps({**json.loads(text), "format": 0}), "a store of format 0"),
        (lambda text: "[]", "a store of format None"),
        (lambda text: json.dumps({**json.loads(text), "digest": "f" * 64}), "another vocabulary than its name says"),
    ],
)
def test_a_damaged_manifest_is_refused(download, tmp_path, change, found):
    store = load_athena(download, tmp_path / "stores")
    damaged(store.folder, change)
    with pytest.raises(ConfigurationError, match=found):
        load_athena(download, tmp_path / "stores")


def test_a_store_with_a_file_gone_is_refused(download, tmp_path):
    store = load_athena(download, tmp_path / "stores")
    store.path("DOMAIN").unlink()
    with pytest.raises(ConfigurationError, match=r"DOMAIN\.parquet: expected a file of"):
        open_vocabulary(store.folder, tmp_path / "stores")


def test_a_folder_that_is_neither(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigurationError, match=r"CONCEPT\.csv: no such file"):
        open_vocabulary(tmp_path / "empty", tmp_path / "stores")


def test_a_file_that_changes_while_it_is_read(download, tmp_path):
    class Unpacking:
        def table(self, name, rows, seconds):
            with (download / "DOMAIN.csv").open("a", encoding="utf-8") as stream:
                stream.write("Drug\tDrug\t13\n")

    with pytest.raises(ConfigurationError, match="a file changed while it was read"):
        load_athena(download, tmp_path / "stores", Unpacking())
    assert list((tmp_path / "stores").iterdir()) == []


def test_a_vocabulary_without_a_release_text(tmp_path):
    folder = write_athena(tmp_path / "athena", [concept(5, "가")], VOCABULARY=[])
    store = load_athena(folder, tmp_path / "stores")
    assert (store.release, store.folder.name) == ("unknown", f"unknown-{store.digest[:12]}")
