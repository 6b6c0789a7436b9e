"""What the center keeps: deliveries as verified, their summaries, and which of them counts now.

    STORE/hospitals.yaml                the registry, kept by the center's people
    STORE/deliveries/SITE/000003/       manifest.json, manifest.json.sig, TABLE/*.parquet, evidence/*.parquet, receipt.json
    STORE/summaries/SITE/000003/        what was counted of that delivery
    STORE/current/SITE                  the number of the delivery that counts
    STORE/quarantine/…/                 reports of packages that were kept out
    STORE/.incoming/                    what a receive needs while it runs

A delivery is there once `current` names it or a later one: that file is replaced by one rename, and a folder with a
higher number is what a receive left that died.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from pydantic import ValidationError

from dure.center.summary.model import SUMMARY, Summary
from dure.errors import Problem, SiteLockedError
from dure.snapshot.durable import LakeError, lake_access, make_folder, private_files, replace_file, sync, sync_tree
from dure.snapshot.lock import held

REGISTRY = "hospitals.yaml"
RECEIPT = "receipt.json"
_NOTHING_CHANGED = "the deliveries in the store are as before"


class CenterStore:
    """One store; reading needs no lock, all writing does."""

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()

    # ---- reading

    def current(self) -> dict[str, int]:
        """The number of the delivery that counts, by site."""
        folder = self.root / "current"
        with lake_access(folder):
            names = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
            texts = {name: (folder / name).read_text("ascii", "replace").strip() for name in names if name[0] != "."}
        for name, text in texts.items():
            if not (text.isascii() and text.isdigit()):
                do = "write the number of the newest folder below deliveries that is whole"
                raise LakeError(Problem(str(folder / name), "is not the number of a delivery", do))
        return {name: int(text) for name, text in texts.items()}

    def delivery(self, site: str, sequence: int) -> Path:
        return self.root / "deliveries" / site / _name(sequence)

    def summary(self, site: str, sequence: int) -> Path:
        return self.root / "summaries" / site / _name(sequence)

    def received(self, site: str) -> list[int]:
        """Numbers of the deliveries of a site, the oldest first."""
        newest = self.current().get(site, 0)
        return [number for number in _numbers(self.root / "deliveries" / site) if number <= newest]

    def summaries(self) -> list[Summary]:
        """Of the deliveries that count now, by consortium and site."""
        found = [self._summary(site, sequence) for site, sequence in self.current().items()]
        return sorted(found, key=lambda each: (each.consortium or "", each.site))

    def history(self, site: str) -> list[Summary]:
        """Of every delivery of a site, the oldest first."""
        return [self._summary(site, sequence) for sequence in self.received(site)]

    def _summary(self, site: str, sequence: int) -> Summary:
        path = self.summary(site, sequence) / SUMMARY
        with lake_access(path):
            content = path.read_bytes()
        try:
            return Summary.model_validate_json(content)
        except ValidationError as error:
            item = error.errors(include_input=False, include_url=False)[0]
            place = ".".join(map(str, item["loc"]))
            found = f"is no summary of this version of Dure ({place}: {item['msg']})"
            raise LakeError(Problem(str(path), found, "restore it from a backup")) from None

    # ---- writing

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Holds the store for one command, and makes all its files private; SiteLockedError when it is held."""
        with private_files(), ExitStack() as stack:
            with lake_access(self.root):
                make_folder(self.root)
                if self.root.stat().st_mode & 0o077:
                    self.root.chmod(0o700)
            try:
                stack.enter_context(held(self.root / "lock", str(self.root)))
            except SiteLockedError as error:
                where = error.problems[0]
                found = where.found.replace("the site ", "the store ", 1)
                raise SiteLockedError(Problem(where.where, found, where.do)) from None
            yield

    @contextmanager
    def incoming(self) -> Iterator[Path]:
        """An empty folder for what comes in; it goes afterwards, and what a dead receive left goes before."""
        folder = self.root / ".incoming"
        with lake_access(folder):
            _remove(folder)
            make_folder(folder)
        try:
            yield folder
        finally:
            with lake_access(folder):
                _remove(folder)

    def clear(self) -> list[Path]:
        """Removes what receives that died left: folders above the number that counts, and files half written."""
        current, removed = self.current(), list[Path]()
        with lake_access(self.root):
            _remove(self.root / ".incoming")
            for area in ("deliveries", "summaries"):
                for folder in sorted(path for path in (self.root / area).glob("*") if path.is_dir()):
                    newest = current.get(folder.name, 0)
                    for path in sorted(folder.iterdir()):
                        if not path.name.isdigit() or int(path.name) > newest:
                            _remove(path)
                            removed.append(path)
            for path in sorted((self.root / "quarantine").glob(".*")):
                _remove(path)
        return removed

    def file(self, site: str, sequence: int, delivery: Path, summary: Path) -> None:
        """Makes a delivery the one that counts: two folders by rename, then the number, which alone makes them count."""
        with lake_access(self.root, _NOTHING_CHANGED):
            for folder, final in ((delivery, self.delivery(site, sequence)), (summary, self.summary(site, sequence))):
                sync_tree(folder)
                make_folder(final.parent)
                folder.rename(final)
                sync(final.parent)
            make_folder(self.root / "current")
            replace_file(self.root / "current" / site, f"{_name(sequence)}\n".encode())


def _name(sequence: int) -> str:
    return f"{sequence:06d}"


def _numbers(folder: Path) -> list[int]:
    with lake_access(folder):
        return sorted(int(path.name) for path in folder.iterdir() if path.name.isdigit()) if folder.is_dir() else []


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
