"""What `dure vocab diff` compares: two vocabularies, two maps or two site folders, each with all that goes before it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from dure.errors import ConfigurationError, Problem
from dure.site.load import load_site
from dure.site.loaded import Site, VocabularySpec
from dure.site.spec import USUAL_NORMALISE, Normalise
from dure.vocab.diff import Request, Side, Weight, changed_codes
from dure.vocab.map_files import MapFile, read_map_file
from dure.vocab.normalise import normaliser
from dure.vocab.store import VocabularyStore, is_store

VOCABULARY, SITE_FOLDER, MAP = "vocabulary", "site folder", "map"
_DO = "name two vocabularies (stores or Athena folders), two site folders, or two maps"


def kind_of(path: Path) -> str:
    """What a path of the command line names; ConfigurationError where it is nothing that can be compared."""
    if is_store(path) or (path.is_dir() and any(each.name.upper() == "CONCEPT.CSV" for each in path.iterdir())):
        return VOCABULARY
    if (path / "site.yaml").is_file():
        return SITE_FOLDER
    if path.is_file():
        return MAP
    found = "neither a vocabulary nor a site folder" if path.is_dir() else "no such file or folder"
    raise ConfigurationError(Problem(str(path), found, _DO))


def kind_of_both(old: Path, new: Path) -> str:
    """What both paths name; every problem of the two is reported at once."""
    kinds, problems = [], list[Problem]()
    for path in (old, new):
        try:
            kinds.append(kind_of(path))
        except ConfigurationError as error:
            problems += error.problems
    if not problems and kinds[0] != kinds[1]:
        problems.append(Problem(str(new), f"is a {kinds[1]}, but {old} is a {kinds[0]}", _DO))
    if problems:
        raise ConfigurationError(problems)
    return kinds[0]


@dataclass
class Compared:
    """Two sides and the codes to compare on them."""

    old: Side
    new: Side
    codes: dict[Request, Weight] = field(default_factory=dict)


def two_vocabularies(
    old: VocabularyStore, new: VocabularyStore, site: Site | None, weights: Mapping[Request, Weight]
) -> Compared:
    """A site's codes under its maps on both vocabularies; without a site every code on which the two differ."""
    if site is None:
        return Compared(Side(old), Side(new), {request: Weight() for request in changed_codes(old, new)})
    before, after = (Side(store, site.vocabularies, site.local_concepts) for store in (old, new))
    return Compared(before, after, _with_map_codes(weights, (before, after)))


def two_sites(old: Site, new: Site, store: VocabularyStore, weights: Mapping[Request, Weight]) -> Compared:
    """The codes of a site under two versions of its folder, its consortium's included."""
    before, after = (Side(store, site.vocabularies, site.local_concepts) for site in (old, new))
    return Compared(before, after, _with_map_codes(weights, (before, after)))


def two_maps(
    old: Path,
    new: Path,
    store: VocabularyStore,
    site: Site | None,
    vocabulary: str | None,
    weights: Mapping[Request, Weight],
) -> Compared:
    """Two versions of a map, each in the place that one of them has in the site; without a site, each on its own.

    A map that is none of the site's speaks before the site's own. On its own a map may give a code several targets.
    """
    files = {path: read_map_file(path) for path in (old, new)}
    if site is None:
        before, after = (Side(store, _alone(path, files[path], vocabulary)) for path in (old, new))
    else:
        place = _place(site, old, new)
        before, after = (
            Side(store, _in_place(site, place, path, files[path], vocabulary), site.local_concepts)
            for path in (old, new)
        )
    named = {
        name
        for side in (before, after)
        for name, spec in side.vocabularies.items()
        if set(spec.site_maps) & {old, new} or set(spec.consortium_maps) & {old, new}
    }
    only = {request: weight for request, weight in weights.items() if request[0] in named}
    return Compared(before, after, _with_map_codes(only, (before, after), {old, new}))


def read_site_folder(path: Path) -> Site:
    """The site in a folder that a path names."""
    whole = path.absolute()
    return load_site(whole.name, (whole.parent,))


def _alone(path: Path, file: MapFile, vocabulary: str | None) -> dict[str, VocabularySpec]:
    names = _vocabularies_of(path, file, vocabulary)
    return {name: VocabularySpec(name, site_maps=(path,), normalise=_usual(name), many_targets=True) for name in names}


def _usual(name: str) -> Normalise:
    return USUAL_NORMALISE.get(name, "none")


def _vocabularies_of(path: Path, file: MapFile, vocabulary: str | None) -> list[str]:
    names = sorted({row.vocabulary or vocabulary or "" for row in file.rows})
    if "" in names:
        do = "name the vocabulary of its codes with --vocabulary, or the site that reads the map with --site"
        raise ConfigurationError(Problem(str(path), "rows without a source vocabulary", do))
    return names


def _place(site: Site, *paths: Path) -> Path | None:
    """The map of the site that one of the paths is: the same file, or else the only one of the same name."""
    maps = list(dict.fromkeys(path for spec in site.vocabularies.values() for path in spec.maps))
    for path in paths:
        if path.resolve() in maps:
            return path.resolve()
    for path in paths:
        same = [each for each in maps if each.name == path.name]
        if len(same) == 1:
            return same[0]
    return None


def _in_place(
    site: Site, place: Path | None, path: Path, file: MapFile, vocabulary: str | None
) -> dict[str, VocabularySpec]:
    def put(paths: Sequence[Path]) -> tuple[Path, ...]:
        return tuple(path if each == place else each for each in paths)

    if place is not None:
        return {
            name: replace(spec, site_maps=put(spec.site_maps), consortium_maps=put(spec.consortium_maps))
            for name, spec in site.vocabularies.items()
        }
    found = dict(site.vocabularies)
    for name in _vocabularies_of(path, file, vocabulary):
        spec = found.get(name, VocabularySpec(name, normalise=_usual(name)))
        found[name] = replace(spec, site_maps=(path, *spec.site_maps))
    return found


def _with_map_codes(
    weights: Mapping[Request, Weight], sides: Sequence[Side], only: set[Path] | None = None
) -> dict[Request, Weight]:
    """The codes that records have, and those that only a map names, which weigh nothing."""
    found = dict(weights)
    forms: dict[str, Callable[[str], str]] = {}
    for side in sides:
        for name, spec in side.vocabularies.items():
            forms.setdefault(name, normaliser(spec.normalise, spec.same_as or name).form)
    known: dict[tuple[str, str], list[Sequence[str | None]]] = {}
    for vocabulary, code, *details in weights:
        known.setdefault((str(vocabulary), _form(forms, str(vocabulary), str(code))), []).append(details)
    files: dict[Path, MapFile] = {}
    for side in sides:
        for name, spec in side.vocabularies.items():
            for path in (*spec.site_maps, *spec.consortium_maps):
                if only is not None and path not in only:
                    continue
                if path not in files:
                    files[path] = read_map_file(path)
                for row in files[path].rows:
                    if row.vocabulary not in ("", name, spec.same_as):
                        continue
                    filled = (row.code_type, row.specimen, row.unit)
                    asked = known.setdefault((name, _form(forms, name, row.code)), [])
                    if not any(_speaks_for(filled, details) for details in asked):
                        request = (name, row.code, *(part or None for part in filled))
                        asked.append(request[2:])
                        found[request] = Weight()
    return found


def _speaks_for(filled: Sequence[str], details: Sequence[str | None]) -> bool:
    return all(not part or part == detail for part, detail in zip(filled, details, strict=True))


def _form(forms: Mapping[str, Callable[[str], str]], vocabulary: str, code: str) -> str:
    form = forms.get(vocabulary)
    return form(code) if form else code
