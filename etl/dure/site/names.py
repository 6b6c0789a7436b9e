"""Which folder holds a site, and which others say that they are the same site."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from dure.errors import ConfigurationError, Problem
from dure.site.loaded import Site
from dure.site.yaml_text import closest, read_yaml


def site_names(sites: Sequence[Path]) -> list[str]:
    """The sites that the folders hold, by name."""
    found = {path.parent.name for folder in sites if folder.is_dir() for path in folder.glob("*/site.yaml")}
    return sorted(found)


def folder_of(name: str, sites: Sequence[Path]) -> Path:
    """The first folder of that name that holds a site; raises ConfigurationError naming those there are."""
    for folder in sites:
        if (folder / name / "site.yaml").is_file():
            return folder / name
    known = site_names(sites)
    looked = ", ".join(str(folder) for folder in sites) or "no folder"
    there = f"sites there: {', '.join(known)}" if known else "no site is there"
    do = f"looked in {looked}; {there}. --sites or DURE_SITES names the folder that holds {name}/site.yaml"
    raise ConfigurationError(f"no site '{name}'{closest(name, known)}", do)


def of_one_id(site: Site, sites: Sequence[Path]) -> Iterator[Problem]:
    """A warning where other folders hold sites of the same id: a lake would take their snapshots for those of one site."""
    own = site.spec.site.id
    others = []
    for name in site_names(sites):
        folder = folder_of(name, sites)
        said = read_yaml(folder / "site.yaml").data if folder != site.folder else None
        if isinstance(said, dict) and isinstance(said.get("site"), dict) and said["site"].get("id") == own:
            others.append(name)
    if others:
        found = f"'{own}' is the id of {', '.join(others)} too: a lake keeps their snapshots as those of one site"
        yield site.document.problem(("site", "id"), found, "give each site an id of its own")
