"""Reading a site's folder: the spec, its consortium's share, maps and views; every mistake reported at once."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from dure.cdm.roles import spec_tables
from dure.errors import ConfigurationError, DureError, ExtractNotReadyError, Problem, SourceError
from dure.site.checks import athena_vocabularies, check_draft
from dure.site.columns import check_columns, unread_columns
from dure.site.extract import unread_files
from dure.site.fixed_maps import FixedMap, inline_map, lift_inline_maps, read_map
from dure.site.loaded import Draft, Site, VocabularySpec
from dure.site.local_concepts import LocalConcept, read_blocks, read_concepts
from dure.site.local_ids import FILE as REGISTRY
from dure.site.local_ids import check_concepts, read_local_ids
from dure.site.names import folder_of
from dure.site.pruning import NAMED_SECTIONS, entries_of, pruned
from dure.site.shapes import Closed
from dure.site.spec import (
    USUAL_NORMALISE,
    Arrival,
    ConsortiumSpec,
    Defaults,
    FileSource,
    LandedSource,
    Spec,
    ViewSource,
    Vocabulary,
)
from dure.site.views import View, in_order, parse_view
from dure.site.walk import maps_named, vocabularies_named
from dure.site.yaml_text import Document, Step, closest, read_yaml

ReadyOf = Callable[[Arrival, Mapping[str, FileSource], Path], None]
HeaderOf = Callable[[str, LandedSource, Defaults, Path], tuple[str, ...]]
S = TypeVar("S", bound=Closed)


def load_site(
    name: str,
    sites: Sequence[Path],
    extract: Path | None = None,
    header_of: HeaderOf | None = None,
    refuse_unready: ReadyOf | None = None,
) -> Site:
    """The site `name` of the first of the folders `sites` that has it.

    `header_of` gives the columns of a source that is no view; with it and an extract, every column that the spec reads is looked
    for too. `refuse_unready` is asked before the extract is opened. Raises ConfigurationError with every problem found,
    or where only the extract is wrong SourceError, or ExtractNotReadyError where it is but not there yet.
    """
    return _Loader(folder_of(name, sites)).load(extract, header_of, refuse_unready)


@dataclass
class _Owner:
    """A spec file and its folder: the site's or the consortium's."""

    folder: Path
    document: Document
    label: str


@dataclass
class _Loader:
    folder: Path
    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)
    digests: dict[str, str] = field(default_factory=dict)

    def load(self, extract: Path | None, header_of: HeaderOf | None, refuse_unready: ReadyOf | None) -> Site:
        own = self._document(self.folder, "site.yaml", "site")
        inline = lift_inline_maps(own.document)
        spec, positions, broken = self._validated(own, Spec)
        shared, shared_owner, shared_broken = self._consortium(own)
        if spec is None:
            raise ConfigurationError(self._sorted())
        for section, names in shared_broken.items():
            broken[section] |= names
        maps = self._maps(own, spec, shared_owner, shared, inline, broken)
        vocabularies = self._vocabularies(own, spec, shared_owner, shared)
        views, view_files, parsed = self._views(own, spec, broken)
        draft = Draft(
            document=own.document,
            spec=spec,
            positions=positions,
            broken=broken,
            defaults=_merged(spec.defaults, shared.defaults if shared else None),
            visit_policy=_merged(spec.visit_policy, shared.visit_policy if shared else None),
            maps=maps,
            vocabularies=vocabularies,
            views=views,
            shared_unknown=spec.site.consortium is not None and shared is None,
        )
        self.problems += check_draft(draft, parsed)
        local_concepts = self._local_concepts(own, shared_owner, spec)
        site = Site(
            spec=spec,
            folder=self.folder,
            consortium_folder=shared_owner.folder if shared_owner else None,
            defaults=draft.defaults,
            maps=maps,
            vocabularies=_with_athena(draft),
            visit_policy=draft.visit_policy,
            views={name: views[name] for name in in_order(views, parsed)},
            view_reads={name: view.reads for name, view in parsed.items()},
            headers={},
            warnings=(),
            digest=hashlib.sha256(repr(sorted(self.digests.items())).encode()).hexdigest(),
            file_digests=dict(sorted(self.digests.items())),
            document=own.document,
            positions=positions,
            local_concepts=local_concepts,
        )
        self._warn_of_views(parsed, view_files)
        self._warn_of_maps(own, spec, draft)
        self._warn_of_visits(own, spec, draft)
        spec_is_wrong = bool(self.problems)
        if extract is not None and refuse_unready is not None and not spec_is_wrong:
            files = {n: s for n, s in spec.sources.items() if isinstance(s, FileSource) and n not in spec.ignored}
            try:
                if files or spec.extract.ready:
                    refuse_unready(spec.extract, files, extract)
            except ExtractNotReadyError as error:
                raise ExtractNotReadyError(map(site.located, error.problems)) from error
        if extract is not None and header_of is not None:
            site = self._with_headers(site, extract, header_of, broken, spec_is_wrong)
        if self.problems:
            raise ConfigurationError(self._sorted())
        return replace(site, warnings=tuple(dict.fromkeys(self.warnings)))

    # -------------------------------------------------------------------------------------------- files

    def _read(self, path: Path, label: str) -> bytes:
        content = path.read_bytes()
        self.digests[label] = hashlib.sha256(content).hexdigest()
        return content

    def _local_concepts(self, own: _Owner, shared: _Owner | None, spec: Spec) -> tuple[LocalConcept, ...]:
        """The consortium's local concepts and the site's, each in its own block."""
        found: list[LocalConcept] = []
        home = shared or own
        blocks: dict[str, int] = {}
        if (home.folder / "blocks.csv").exists():
            shown = f"{home.label}/blocks.csv"
            blocks, problems = read_blocks(self._read(home.folder / "blocks.csv", shown), shown)
            self.problems += problems
        owners = [(shared, str(spec.site.consortium)), (own, spec.site.id)]
        for owner, name in owners:
            if owner is not None and (owner.folder / "concepts.csv").exists():
                shown = f"{owner.label}/concepts.csv"
                concepts, problems = read_concepts(
                    self._read(owner.folder / "concepts.csv", shown), shown, name, blocks
                )
                self.problems += problems
                found += concepts
                self.problems += self._remembered(owner, name, blocks, concepts, shown)
        return tuple(found)

    def _remembered(
        self, owner: _Owner, name: str, blocks: dict[str, int], concepts: list[LocalConcept], shown: str
    ) -> list[Problem]:
        """What is wrong with the ids that an owner's codes were once given."""
        if not (owner.folder / REGISTRY).exists():
            return []
        registry = f"{owner.label}/{REGISTRY}"
        known, problems = read_local_ids(self._read(owner.folder / REGISTRY, registry), registry, name, blocks)
        return problems or check_concepts(concepts, known, shown, registry)

    def _document(self, folder: Path, name: str, label: str) -> _Owner:
        path = folder / name
        self._read(path, f"{label}/{name}")
        document = read_yaml(path)
        self.problems += document.problems
        return _Owner(folder, document, label)

    def _file(self, owner: _Owner, at: tuple[Step, ...], name: str, kind: str) -> Path | None:
        """The file that a spec names, relative to its folder; None, with a problem, where it is not there."""
        path = owner.folder / name
        if path.is_file():
            return path
        around = [p.relative_to(owner.folder).as_posix() for p in sorted(owner.folder.glob(f"**/*{Path(name).suffix}"))]
        found = f"no {kind} '{name}' in {owner.folder}{closest(name, around)}"
        self.problems.append(owner.document.problem(at, found, "paths are relative to the file that names them"))
        return None

    def _sorted(self) -> list[Problem]:
        return sorted(dict.fromkeys(self.problems), key=_place)

    # -------------------------------------------------------------------------------------------- specs

    def _validated(self, owner: _Owner, model: type[S]) -> tuple[S | None, dict[str, list[int]], dict[str, set[str]]]:
        """(the spec without the pieces that are wrong, places of its entries, names of the wrong pieces)."""
        document, data = owner.document, owner.document.data
        broken: dict[str, set[str]] = {section: set() for section in (*NAMED_SECTIONS, "tables")}
        positions = {table: list(range(len(entries_of(data, table)))) for table in spec_tables()}
        if data is None:
            return None, positions, broken
        try:
            return model.model_validate(data), positions, broken
        except ValidationError as error:
            details = error.errors(include_url=False)
        for detail in details:
            at, context = detail["loc"], detail.get("ctx", {})
            shown = at[:-1] if context.get("parent") else at
            where = document.where(shown, line_of=at)
            self.problems.append(Problem(where, context.get("found", detail["msg"]), context.get("do", "")))
        rest, positions, broken = pruned(data, [document.trail(detail["loc"])[0] for detail in details])
        try:
            return model.model_validate(rest), positions, broken
        except ValidationError:
            return None, positions, broken

    def _consortium(self, own: _Owner) -> tuple[ConsortiumSpec | None, _Owner | None, dict[str, set[str]]]:
        """(the consortium's spec, its file, names of its wrong pieces); nothing where the site has no consortium."""
        site = own.document.data.get("site") if isinstance(own.document.data, dict) else None
        name = site.get("consortium") if isinstance(site, dict) else None
        if not isinstance(name, str) or not name:
            return None, None, {}
        sites = self.folder.parent
        above = sites.parent if sites.name not in ("", "..") else sites / ".."
        places = (sites / "consortia", above / "consortia")
        for place in places:
            if (place / name / "consortium.yaml").is_file():
                owner = self._document(place / name, "consortium.yaml", "consortium")
                spec, _, broken = self._validated(owner, ConsortiumSpec)
                return spec, owner, broken
        known = [path.parent.name for place in places for path in sorted(place.glob("*/consortium.yaml"))]
        found = f"no consortium '{name}'{closest(name, known)}"
        do = "looked for " + " and ".join(str(place / name / "consortium.yaml") for place in places)
        self.problems.append(own.document.problem(("site", "consortium"), found, do))
        return None, None, {}

    # -------------------------------------------------------------------------------------------- maps

    def _maps(
        self,
        own: _Owner,
        spec: Spec,
        shared_owner: _Owner | None,
        shared: ConsortiumSpec | None,
        inline: dict[str, tuple[tuple[Step, ...], dict[str, Any]]],
        broken: dict[str, set[str]],
    ) -> dict[str, FixedMap]:
        written: dict[str, tuple[_Owner, dict[str, str] | str]] = {}
        if shared and shared_owner:
            written |= {name: (shared_owner, value) for name, value in shared.maps.items()}
        written |= {name: (own, value) for name, value in spec.maps.items()}
        maps: dict[str, FixedMap] = {}
        for name, (owner, value) in written.items():
            fixed, wrong = self._map(owner, ("maps", name), name, value)
            self.problems += wrong
            if fixed is None:
                broken["maps"].add(name)
            else:
                maps[name] = fixed
        for name, (at, mapping) in inline.items():
            maps[name], wrong = inline_map(name, mapping, own.document, at)
            self.problems += wrong
        return maps

    def _map(
        self, owner: _Owner, at: tuple[Step, ...], name: str, value: dict[str, str] | str
    ) -> tuple[FixedMap | None, list[Problem]]:
        if isinstance(value, dict):
            return inline_map(name, value, owner.document, at)
        path = self._file(owner, at, value, "map")
        if path is None:
            return None, []
        return read_map(name, self._read(path, f"{owner.label}/{value}"), str(path))

    def _vocabularies(
        self, own: _Owner, spec: Spec, shared_owner: _Owner | None, shared: ConsortiumSpec | None
    ) -> dict[str, VocabularySpec]:
        """Every declared vocabulary; only the map files of the two levels add up, other keys are the site's if given."""
        out = {}
        theirs = shared.vocabularies if shared else {}
        for name in dict.fromkeys((*theirs, *spec.vocabularies)):
            mine, base = spec.vocabularies.get(name), theirs.get(name)
            both = _merged(mine or Vocabulary(), base)
            usual = USUAL_NORMALISE.get(name) or USUAL_NORMALISE.get(both.same_as or "")
            out[name] = VocabularySpec(
                id=name,
                site_maps=self._vocabulary_maps(own, name, mine),
                consortium_maps=self._vocabulary_maps(shared_owner, name, base),
                same_as=both.same_as,
                normalise=both.normalise or usual or "none",
                fallback=both.fallback,
                many_targets=both.many_targets,
                reuses_codes=both.reuses_codes,
            )
        return out

    def _vocabulary_maps(self, owner: _Owner | None, name: str, vocabulary: Vocabulary | None) -> tuple[Path, ...]:
        paths = []
        for index, file in enumerate(vocabulary.maps if owner and vocabulary else []):
            assert owner is not None
            path = self._file(owner, ("vocabularies", name, "maps", index), file, "map")
            if path is not None:
                self._read(path, f"{owner.label}/{file}")
                paths.append(path.resolve())
        return tuple(paths)

    # -------------------------------------------------------------------------------------------- views

    def _views(
        self, own: _Owner, spec: Spec, broken: dict[str, set[str]]
    ) -> tuple[dict[str, str], dict[str, str], dict[str, View]]:
        """(SQL, file, parsed view) of every view by name."""
        texts, shown, parsed = dict[str, str](), dict[str, str](), dict[str, View]()
        names = frozenset((*spec.sources, *broken["sources"]))
        for name, source in spec.sources.items():
            if not isinstance(source, ViewSource):
                continue
            path = self._file(own, ("sources", name, "view"), source.view, "view")
            if path is None:
                continue
            try:
                texts[name] = self._read(path, f"{own.label}/{source.view}").decode("utf-8-sig")
            except UnicodeDecodeError:
                self.problems.append(Problem(str(path), "not UTF-8", "save the view as UTF-8"))
                continue
            shown[name] = str(path)
            view, wrong = parse_view(texts[name], str(path), names)
            self.problems += wrong
            if view is not None:
                parsed[name] = view
        return texts, shown, parsed

    # -------------------------------------------------------------------------------------------- warnings

    def _warn_of_views(self, parsed: dict[str, View], files: dict[str, str]) -> None:
        for name, view in parsed.items():
            if view.old_file_column:
                self.warnings.append(
                    Problem(f"{files[name]}:1", "_source_file is the older name of _file", "write _file")
                )

    def _warn_of_maps(self, own: _Owner, spec: Spec, draft: Draft) -> None:
        used = set(_maps_used(draft))
        for name in spec.maps:
            if name not in used:
                self.warnings.append(own.document.problem(("maps", name), f"map '{name}' is used nowhere", "remove it"))
        for name, vocabulary in draft.vocabularies.items():
            if (
                name in spec.vocabularies
                and not vocabulary.maps
                and not vocabulary.same_as
                and name not in athena_vocabularies()
            ):
                found = f"'{name}' is not an Athena vocabulary and has no maps: none of its codes will find a concept"
                do = "give maps or same_as"
                self.warnings.append(own.document.problem(("vocabularies", name), found, do))

    def _warn_of_visits(self, own: _Owner, spec: Spec, draft: Draft) -> None:
        visits = [entry for table, _, entry in spec.entries() if table == "visit_occurrence"]
        at = ("visit_policy", "merge") if "merge" in spec.visit_policy.model_fields_set else ("tables",)
        for n, merge in enumerate(draft.visit_policy.merge):
            for name in merge.same:
                if visits and not any(entry.given(name) for entry in visits):
                    found = f"merge[{n}] of the visit policy asks the same {name}, but no visit gives one: it merges nothing"
                    do = f"give {name} in visit_occurrence, or leave same out"
                    self.warnings.append(own.document.problem(at, found, do))

    # -------------------------------------------------------------------------------------------- extract

    def _with_headers(
        self, site: Site, extract: Path, header_of: HeaderOf, broken: dict[str, set[str]], spec_is_wrong: bool
    ) -> Site:
        headers: dict[str, tuple[str, ...]] = {}
        unreadable: list[Problem] = []
        kinds = set[type[DureError]]()
        for name, source in site.spec.sources.items():
            if isinstance(source, LandedSource) and name not in site.spec.ignored:
                try:
                    header = header_of(name, source, site.defaults, extract)
                except DureError as error:
                    unreadable += map(site.located, error.problems)
                    kinds.add(type(error))
                else:
                    headers |= {name: header} if header else {}
        site = replace(site, headers=headers)
        wrong = check_columns(site, headers)
        if unreadable and not wrong and not spec_is_wrong:
            raise (next(iter(kinds)) if len(kinds) == 1 else SourceError)(unreadable)
        self.problems += [*unreadable, *wrong]
        if not self.problems:
            self.warnings += unread_columns(site)
            self.warnings += unread_files(site, extract)
        return site


def _place(problem: Problem) -> tuple[str, int, str]:
    """File and line of a problem, to sort by."""
    hit = re.match(r"(.*?):([0-9]+)(?: |$)", problem.where)
    return (hit[1], int(hit[2]), problem.found) if hit else (problem.where, 0, problem.found)


def _merged(own: S, shared: S | None) -> S:
    """The keys of both, the site's own where both give one; what neither gives is built in."""
    if shared is None:
        return own
    return shared.model_copy(update={name: getattr(own, name) for name in own.model_fields_set})


def _maps_used(draft: Draft) -> Iterator[str]:
    for table, index, entry in draft.spec.entries():
        for name in type(entry).model_fields:
            for _, fixed, _, _ in maps_named(getattr(entry, name), draft.at(table, index)):
                yield fixed


def _with_athena(draft: Draft) -> dict[str, VocabularySpec]:
    """The declared vocabularies and those of Athena that an entry names without declaring them."""
    named: list[str] = []
    for table, index, entry in draft.spec.entries():
        for field_name in type(entry).model_fields:
            value, at = getattr(entry, field_name), draft.at(table, index)
            named += [vocabulary for _, vocabulary in vocabularies_named(value, at)]
            for _, fixed, use, _ in maps_named(value, at):
                if use == "vocabulary" and fixed in draft.maps:
                    named += [target.text for target in draft.maps[fixed].values.values() if target.text]
    undeclared = [name for name in dict.fromkeys(named) if name not in draft.vocabularies]
    return draft.vocabularies | {
        name: VocabularySpec(name, normalise=USUAL_NORMALISE.get(name, "none")) for name in undeclared
    }
