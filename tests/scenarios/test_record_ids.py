"""What a record id does not depend on: the concept that a row is mapped to and the table in which it ends."""

from __future__ import annotations

import shutil
from pathlib import Path

from scenario import HERE, Scenario

from dure.engine import Engine
from dure.vocab import VocabularyStore


def test_a_remapped_row_keeps_its_id(sail: Engine, vocabulary_store: VocabularyStore, tmp_path: Path) -> None:
    folder = HERE / "observation" / "03_any_other_domain"
    before = Scenario(folder).run(sail, vocabulary_store, tmp_path / "before")

    remapped = shutil.copytree(folder, tmp_path / "sites" / folder.name)
    spec = (remapped / "site.yaml").read_text(encoding="utf-8")
    to_a_procedure = spec.replace("양성소견: 9191", "양성소견: 4163872")
    assert to_a_procedure != spec
    (remapped / "site.yaml").write_text(to_a_procedure, encoding="utf-8")
    after = Scenario(remapped).run(sail, vocabulary_store, tmp_path / "after")

    names = ["observation_id", "observation_source_value"]
    (was,) = before.rows("observation", names)
    (now,) = after.rows("procedure_occurrence", ["procedure_occurrence_id", "procedure_source_value"])
    assert was[1] == "양성소견"
    assert now == was
    assert before.rows("visit_occurrence", ["visit_occurrence_id"]) == after.rows(
        "visit_occurrence", ["visit_occurrence_id"]
    )
