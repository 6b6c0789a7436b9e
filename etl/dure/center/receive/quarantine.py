"""What is kept of a package that may not come in: a report that its sender can be given, and the file where it is small."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from dure.center.receive.opened import Arrived
from dure.center.receive.refused import Finding, Language
from dure.snapshot.durable import lake_access, make_folder, replace_file, sync, sync_tree

UNKNOWN = "unknown"
_KEPT_BYTES = 64 << 20
# Deliveries that were good once hold persons who may have been withdrawn since.
_NEVER_KEPT = frozenset({"older", "same_number", "withdrawn_person", "too_large"})
_HEADS: dict[Language, str] = {
    "en": "Dure: a package that was not received",
    "ko": "Dure: 접수되지 않은 패키지",
}
_LABELS: dict[Language, tuple[str, str, str, str]] = {
    "en": ("where", "found", "expected", "what to do"),
    "ko": ("위치", "발견", "기준", "조치"),
}


@dataclass(frozen=True)
class Refused:
    """One package that was kept out: what came, and what is believed of it (site and number where a key vouches)."""

    package: Arrived | None
    manifest: bytes
    site: str | None
    sequence: int | None
    findings: Sequence[Finding]


def quarantine(folder: Path, refused: Refused, now: datetime) -> Path:
    """The folder of the report; the same package refused for the same reasons again has one already."""
    who, mark = refused.site or UNKNOWN, _mark(refused)
    with lake_access(folder):
        make_folder(folder)
        known = sorted(
            path for path in folder.iterdir() if path.name.startswith(f"{who}-") and path.name.endswith(mark)
        )
        if known:
            return known[0]
        name = f"{who}-{now.astimezone(UTC):%Y%m%dT%H%M%SZ}-{mark}"
        beside = folder / f".{name}"
        beside.mkdir()
        replace_file(beside / "report.json", _as_json(refused, now))
        replace_file(beside / "report.txt", _as_text(refused, now))
        _keep(refused, beside)
        sync_tree(beside)
        beside.rename(folder / name)
        sync(folder)
    return folder / name


def drop_packages(folder: Path, site: str) -> int:
    """Removes the files, not the reports, of packages that may hold persons of a site; how many."""
    kept = [
        path
        for path in (folder.glob("*/package.*") if folder.is_dir() else ())
        if path.parent.name.rsplit("-", 2)[0] in (site, UNKNOWN)
    ]
    with lake_access(folder):
        for path in kept:
            path.unlink()
            sync(path.parent)
    return len(kept)


def _mark(refused: Refused) -> str:
    content = hashlib.sha256(refused.package.sha256.encode() if refused.package else b"")
    content.update(hashlib.sha256(refused.manifest).digest())
    for finding in refused.findings:
        content.update(f"{finding.reason} {finding.where}\n".encode())
    return content.hexdigest()[:8]


def _keep(refused: Refused, beside: Path) -> None:
    package = refused.package
    if package is None or package.form == "folder" or package.bytes > _KEPT_BYTES:
        return
    if _NEVER_KEPT & {finding.reason for finding in refused.findings}:
        return
    shutil.copyfile(package.path, beside / ("package.dure" if package.form == "encrypted" else "package.tar"))


def _as_json(refused: Refused, now: datetime) -> bytes:
    package = refused.package
    said = {
        "report_version": 1,
        "outcome": "refused",
        "received": now.isoformat(timespec="seconds"),
        "site": refused.site,
        "sequence": refused.sequence,
        "package": {"form": package.form, "bytes": package.bytes, "sha256": package.sha256} if package else None,
        "problems": [
            {"reason": each.reason, "where": each.where, "en": each.said("en"), "ko": each.said("ko")}
            for each in refused.findings
        ],
    }
    return json.dumps(said, ensure_ascii=False, indent=1).encode() + b"\n"


def _as_text(refused: Refused, now: datetime) -> bytes:
    languages: tuple[Language, ...] = ("ko", "en")
    return "\n".join(line for language in languages for line in (*_lines(refused, now, language), "")).encode()


def _lines(refused: Refused, now: datetime, language: Language) -> list[str]:
    where, found, expected, do = _LABELS[language]
    delivery = f"{refused.site or UNKNOWN} {refused.sequence or '-'}"
    lines = [_HEADS[language], f"{delivery}  {now.isoformat(timespec='seconds')}"]
    if refused.package and refused.package.sha256:
        lines.append(f"SHA-256 {refused.package.sha256}")
    for number, finding in enumerate(refused.findings, 1):
        said = finding.said(language)
        lines += [
            "",
            f"{number}. {where}: {finding.where}",
            f"   {found}: {said['found']}",
            f"   {expected}: {said['expected']}",
            f"   {do}: {said['do']}",
        ]
    return lines
