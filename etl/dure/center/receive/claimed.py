"""What a package says of itself: its manifest, read only once its signature is known to be a hospital's.

A known hospital may still send what nobody planned for, so each value has a type, a range and a form of its own, and
paths can only name a table of the CDM and a plain file in it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from dure.cdm.schema import CDM_VERSION, site_tables
from dure.center.receive.limits import JSON_DEPTH
from dure.center.receive.refused import PackageRefused, refuse
from dure.snapshot.manifest import MANIFEST, TableContent, TableFile, snapshot_digest

PACKAGE_TABLES = (*site_tables(), "concept")
EVIDENCE = ("checks", "codes")
_FILE = re.compile(r"[0-9A-Za-z][0-9A-Za-z_-]{0,99}\.parquet")
_PLAIN_PLACE = re.compile(r"[a-z0-9_]{1,60}")
_TEXT = re.compile(rb'"(?:[^"\\]|\\.)*"')
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_LARGEST = 2**63 - 1


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("holds a control character")
    return text


Text = Annotated[str, Field(max_length=1000), AfterValidator(_printable)]
Count = Annotated[int, Field(ge=0, le=_LARGEST)]
Told = Count | Annotated[str, Field(pattern=r"^<[0-9]{1,6}$")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class Vocabulary(_Strict):
    """The release that the hospital mapped to."""

    release: Text
    digest: Text


class Versions(_Strict):
    """With what the copy was made."""

    cdm: Literal["5.4"]
    dure: Text
    mapped_by_dure: Text
    engine: Text
    vocabulary: Vocabulary
    spec: Sha256
    maps: dict[Text, Sha256]


class InputFile(_Strict):
    """One file of the extract, without its name."""

    sha256: Sha256
    bytes: Count


class Input(_Strict):
    """One source of the extract."""

    rows: Count
    files: list[InputFile]


class Gated(_Strict):
    """The snapshot that passed the hospital's gate."""

    snapshot: Text
    digest: Sha256
    gate: Text
    day: date
    score: Share | None
    waived: list[Text]


class Profile(_Strict):
    """How the copy was de-identified; `dates` is absent where an older version of Dure sent it."""

    name: Text
    digest: Sha256
    dates: Literal["shifted", "unshifted"] | None = None


class Copy(_Strict):
    """The copy as a whole."""

    digest: Sha256
    profile: Profile


class Keys(_Strict):
    """Fingerprints of the keys that signed and that made the pseudonyms."""

    signing: Text
    pseudonyms: Text


class File(_Strict):
    """One file of a table."""

    path: Annotated[str, Field(max_length=200)]
    bytes: Count
    sha256: Sha256


class Table(_Strict):
    """One table."""

    rows: Count
    files: Annotated[list[File], Field(min_length=1, max_length=100_000)]


class EvidenceFile(_Strict):
    """One file of the evidence."""

    path: Annotated[str, Field(max_length=200)]
    rows: Count
    bytes: Count
    sha256: Sha256


class LeftOut(_Strict):
    """Codes too rare to be told."""

    rows: Told
    records: Told


class CodesFile(EvidenceFile):
    """The evidence of the codes."""

    left_out: LeftOut


class Evidence(_Strict):
    """What the hospital says of its checks and codes."""

    checks: EvidenceFile
    codes: CodesFile


class Difference(_Strict):
    """A check that ended otherwise on the copy than on the snapshot: (status, violated, denominator) of both."""

    check: Text
    snapshot: Annotated[list[Text | Count | None], Field(min_length=3, max_length=3)]
    copied: Annotated[list[Text | Count | None], Field(min_length=3, max_length=3, alias="copy")]
    why: Annotated[str, Field(min_length=1, max_length=1000), AfterValidator(_printable)]


class Checks(_Strict):
    """The checks that the hospital ran on the copy."""

    rerun: dict[Text, Count]
    differ: list[Difference]


class Coverage(_Strict):
    """Records or codes of one domain without a standard concept."""

    check: Text
    without_concept: Count | None
    of: Count


class Claimed(_Strict):
    """The whole manifest."""

    package_version: Literal[1]
    site: Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_printable)]
    sequence: Annotated[int, Field(ge=1, le=999_999_999)]
    as_of: date
    versions: Versions
    inputs: dict[Text, Input]
    gated: Gated
    copied: Copy = Field(alias="copy")
    keys: Keys
    tables: dict[str, Table]
    checks: Checks
    evidence: Evidence
    persons_alike: dict[Text, Told]
    reconciliation: dict[Text, dict[Text, Count]]
    coverage: list[Coverage]
    withdrawn: list[Annotated[int, Field(ge=1, le=_LARGEST)]]

    @model_validator(mode="after")
    def _names_only_its_files(self) -> Self:
        for name, table in self.tables.items():
            if name not in PACKAGE_TABLES:
                raise ValueError("tables names what is no table of the CDM that a hospital fills")
            for file in table.files:
                folder, _, last = file.path.partition("/")
                if folder != name or not _FILE.fullmatch(last):
                    raise ValueError(f"tables.{name} lists a path that is no file of its own folder")
        for kind in EVIDENCE:
            if self.listed_evidence[kind].path != f"evidence/{kind}.parquet":
                raise ValueError(f"evidence.{kind} lists another path")
        if len(self.files) != len({path.casefold() for path in self.paths}):
            raise ValueError("lists a file twice")
        if len(set(self.withdrawn)) != len(self.withdrawn):
            raise ValueError("withdrawn lists a person twice")
        return self

    @property
    def listed_evidence(self) -> Mapping[str, EvidenceFile]:
        return {"checks": self.evidence.checks, "codes": self.evidence.codes}

    @property
    def paths(self) -> list[str]:
        return [file.path for file in self.files]

    @property
    def files(self) -> list[File | EvidenceFile]:
        """Every file, in the order in which an archive holds them."""
        every: list[File | EvidenceFile] = [file for table in self.tables.values() for file in table.files]
        return sorted([*every, *self.listed_evidence.values()], key=lambda file: file.path)

    @property
    def bytes(self) -> int:
        return sum(file.bytes for file in self.files)

    @property
    def digest_of_tables(self) -> str:
        """The digest of the copy, from the hashes of its files."""
        return snapshot_digest(
            {
                name: TableContent(
                    rows=table.rows,
                    files=tuple(TableFile(path=f.path, bytes=f.bytes, sha256=f.sha256) for f in table.files),
                )
                for name, table in self.tables.items()
            }
        )


def read_claimed(content: bytes) -> Claimed:
    """The manifest of a package whose signature holds; PackageRefused for anything that is not exactly one."""
    _check_depth(content)
    try:
        data = json.loads(content, object_pairs_hook=_once, parse_constant=_no_number)
        if not isinstance(data, dict):
            raise ValueError("is no JSON object")
        for name, version in (("package_version", 1), ("cdm", CDM_VERSION)):
            found = data.get(name) if name == "package_version" else _cdm_version(data)
            if type(found) is type(version) and found != version:
                raise refuse("another_version", MANIFEST, name=name, found=_short(found), expected=version)
        return Claimed.model_validate_json(content)
    except ValidationError as error:
        details = error.errors(include_input=False, include_url=False)[:20]
        raise PackageRefused(
            [refuse("not_a_manifest", _place(item["loc"]), what=item["msg"][:200]).findings[0] for item in details]
        ) from None
    except (ValueError, RecursionError) as error:
        what = str(error)[:100] if type(error) is ValueError and str(error).isprintable() else "is not JSON"
        raise refuse("not_a_manifest", MANIFEST, what=what) from None


def _cdm_version(data: Mapping[str, Any]) -> Any:
    versions = data.get("versions")
    return versions.get("cdm") if isinstance(versions, dict) else None


def _short(value: object) -> str:
    text = str(value)
    return text if _PLAIN_PLACE.fullmatch(text.replace(".", "_")) else "another"


def _place(steps: tuple[int | str, ...]) -> str:
    shown = [str(step) if isinstance(step, int) or _PLAIN_PLACE.fullmatch(step) else "…" for step in steps]
    return f"{MANIFEST} {'.'.join(shown)}".rstrip()


def _check_depth(content: bytes) -> None:
    """Refuses what is nested deeper than any manifest, before a parser goes down into it."""
    depth = 0
    for bracket in _TEXT.sub(b"", content).translate(None, _NO_BRACKETS):
        depth += 1 if bracket in b"[{" else -1
        if depth > JSON_DEPTH:
            raise refuse("not_a_manifest", MANIFEST, what=f"is nested more than {JSON_DEPTH} deep")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("gives a key twice")
    return made


def _no_number(_: str) -> None:
    raise ValueError("holds a number that is none")
