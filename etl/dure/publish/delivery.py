"""What a database holds: the content by its digests, and what became of it while it was loaded."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from importlib.metadata import version

from dure.cdm.schema import CDM_VERSION
from dure.publish.table_files import TableFiles, content_digest
from dure.vocab.store import VocabularyStore

DELIVERY_TABLE = "dure_delivery"
# Raised when the same content would become another database than before.
_LAYOUT = 1


@dataclass(frozen=True)
class Content:
    """What to load and how: two deliveries with equal `identity` make equal databases.

    `digest` is that of the tables, as in the manifest of a snapshot; the vocabulary is "" when it is not delivered.
    """

    digest: str
    vocabulary_release: str
    vocabulary_digest: str
    options: Mapping[str, str]

    @property
    def identity(self) -> str:
        text = json.dumps([_LAYOUT, CDM_VERSION, self.digest, self.vocabulary_digest, sorted(self.options.items())])
        return hashlib.sha256(text.encode()).hexdigest()

    def described(self) -> dict[str, str]:
        """The row of `dure_delivery`, but for what is known only at the end."""
        return {
            "identity": self.identity,
            "snapshot_digest": self.digest,
            "vocabulary_release": self.vocabulary_release,
            "vocabulary_digest": self.vocabulary_digest,
            "cdm_version": CDM_VERSION,
            "dure_version": version("dure"),
            "options": json.dumps(dict(sorted(self.options.items()))),
        }


@dataclass(frozen=True)
class Loaded:
    """What a target holds after a delivery.

    `rows` by table, empty tables too; `truncated` how many texts of `table.column` were cut; `unchecked` how many rows
    of `table.column` name a concept that the vocabulary lacks; `changed` False when the target held all of it already.
    """

    digest: str
    rows: Mapping[str, int]
    truncated: Mapping[str, int] = field(default_factory=dict)
    unchecked: Mapping[str, int] = field(default_factory=dict)
    changed: bool = True

    def as_json(self) -> str:
        """All but `changed`, for `dure_delivery`."""
        content = asdict(self)
        del content["changed"]
        return json.dumps(content, sort_keys=True)


def recorded(text: str) -> Loaded:
    """What an earlier delivery wrote with `as_json`: the target has not changed since."""
    return Loaded(**json.loads(text), changed=False)


def content(
    files: Mapping[str, TableFiles], store: VocabularyStore | None, options: Mapping[str, str] | None = None
) -> Content:
    """The content of the files of a snapshot, hashed, and of a vocabulary."""
    release, digest = (store.release, store.digest) if store else ("", "")
    return Content(content_digest(files), release, digest, dict(options or {}))
