"""The standards center of the demonstration: the three hospitals publish, the center receives, compares and shows."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import yaml

from dure.center.catalogue.catalogue import PAGE_FILE, CatalogueOptions, make_catalogue
from dure.center.receive.receive import Received, ReceiveOptions, receive_packages, worst
from dure.center.registry.hospitals import REGISTRY
from dure.center.report.command import ReportOptions, make_report
from dure.center.report.written import PAGE
from dure.demo.consortium import SITES, Demonstration, SiteResult, shipped_folder
from dure.engine import Engine
from dure.engine import engine as running_engine
from dure.progress import Reporter
from dure.publish.keygen import make_keys
from dure.publish.publish import PublishOptions, publish_site
from dure.run import StartEngine
from dure.site.local_concepts import read_blocks
from dure.snapshot.manifest import read_manifest
from dure.vocab.store import open_store

NAMES = {"haneul": "하늘병원", "bada": "바다병원", "gangsan": "강산병원"}
CONSORTIUM = "korea"
THRESHOLD = 10


@dataclass(frozen=True)
class Presented:
    """What a demonstration of the center made: the hospitals' runs, what the center took in, and where to look."""

    hospitals: Sequence[SiteResult]
    received: Sequence[Received]
    report: Path
    catalogue: Path

    @property
    def exit_code(self) -> int:
        return worst(self.received)


@dataclass(frozen=True)
class CenterDemonstration:
    """The demonstration of the hospitals, and beside it their keys, what they send, and the center's store.

    What an earlier one left in the folder is used again: keys stay, and a delivery sent twice is recognised.
    """

    hospitals: Demonstration
    now: datetime
    seed: int = 1

    @property
    def store(self) -> Path:
        return self.hospitals.out / "center"

    def run(self, progress: Reporter, start: StartEngine = running_engine) -> Presented:
        """Raises what a run, a publication and a receive of each hospital may raise."""
        with start(self.hospitals.engine) as running:
            made = self.hospitals.run(progress, lambda _: nullcontext(running))
            self._keys()
            packages = [self._publish(site, running, progress) for site in SITES]
            vocabulary = Path(read_manifest(made[0].snapshot).vocabulary.folder)
            received = self._receive(packages, vocabulary, running, progress)
        progress.stage("report")
        report, catalogue = self._show(vocabulary, progress)
        return Presented(made, received, report, catalogue)

    def _keys(self) -> None:
        """The keys of each hospital, those of the center, and the registry in which the center knows the hospitals."""
        for site in SITES:
            if not (self._keys_of(site) / "signing.key").exists():
                make_keys(self._keys_of(site), "site")
        if not (self._keys_of("center") / "center.key").exists():
            make_keys(self._keys_of("center"), "center")
        registry = self.store / REGISTRY
        if not registry.exists():
            self.store.mkdir(parents=True, mode=0o700, exist_ok=True)
            registry.write_text(self._registry(), "utf-8")

    def _registry(self) -> str:
        shared = shipped_folder("sites") / "consortia" / CONSORTIUM / "blocks.csv"
        blocks, _ = read_blocks(shared.read_bytes(), shared.name)
        day = self.now.date().isoformat()
        written = {
            "hospitals_version": "1",
            "consortia": {CONSORTIUM: {"name": "데이터중심병원 컨소시엄", "local_concepts": blocks[CONSORTIUM]}},
            "shared_blocks": {name: first for name, first in blocks.items() if name not in (*SITES, CONSORTIUM)},
            "hospitals": {
                site: {
                    "name": NAMES[site],
                    "consortium": CONSORTIUM,
                    "local_concepts": blocks[site],
                    "keys": [{"key": f"../keys/{site}/signing.pub", "from": day}],
                }
                for site in SITES
            },
        }
        return yaml.safe_dump(written, allow_unicode=True, sort_keys=False)

    def _keys_of(self, owner: str) -> Path:
        return self.hospitals.out / "keys" / owner

    def _publish(self, site: str, running: Engine, progress: Reporter) -> Path:
        progress.note(f"hospital {site} publishes")
        options = PublishOptions(
            site=site,
            to=str(self.hospitals.out / "sent"),
            lake=self.hospitals.lake,
            today=self.now.date(),
            key=self._keys_of(site) / "pseudonym.key",
            sign_key=self._keys_of(site) / "signing.key",
            encrypt_to=self._keys_of("center") / "center.pub",
            engine=self.hospitals.engine,
        )
        return Path(publish_site(options, progress, lambda _: nullcontext(running)).place)

    def _receive(self, packages: list[Path], vocabulary: Path, running: Engine, progress: Reporter) -> list[Received]:
        progress.note("the center receives")
        options = ReceiveOptions(
            packages=tuple(packages),
            store=self.store,
            now=self.now,
            seed=self.seed,
            identity=self._keys_of("center") / "center.key",
            vocab=(vocabulary,),
            engine=self.hospitals.engine,
        )
        return receive_packages(options, progress, lambda _: nullcontext(running))

    def _show(self, vocabulary: Path, progress: Reporter) -> tuple[Path, Path]:
        shown, public, day = self.hospitals.out / "report", self.hospitals.out / "catalogue", self.now.date()
        make_report(
            ReportOptions(
                store=self.store,
                registry=None,
                vocab=vocabulary,
                out=shown,
                threshold=THRESHOLD,
                language="en",
                today=day,
            ),
            progress,
        )
        make_catalogue(
            CatalogueOptions(
                store=self.store, out=public, day=day, threshold=THRESHOLD, step=10, places="named", new_form=False
            ),
            open_store(vocabulary),
            progress,
        )
        return shown / PAGE, public / PAGE_FILE


def closing_lines(asked: CenterDemonstration, made: Presented) -> list[str]:
    """What came in, and where to look."""
    lines = [
        f"{each.site or each.package.name:10}{each.outcome:>14}{each.rows:>12,} rows  {each.place or ''}"
        for each in made.received
    ]
    return [
        *lines,
        "",
        f"Report     {made.report}",
        f"Catalogue  {made.catalogue}",
        f"Store      {asked.store}",
        f"Sent       {asked.hospitals.out / 'sent'}",
        "Next: docs/guide/center.md",
    ]
