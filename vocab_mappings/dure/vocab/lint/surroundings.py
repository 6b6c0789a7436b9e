"""What the spec around a map says of its vocabularies: which are the site's own, and which may have several targets."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

_SPECS = ("site.yaml", "consortium.yaml")


@dataclass(frozen=True)
class Declared:
    """Ids of vocabularies that a spec declares."""

    own: frozenset[str] = frozenset()
    many_targets: frozenset[str] = frozenset()


def declared_around(map_file: Path) -> Declared:
    """What `site.yaml` or `consortium.yaml` in the map's folder or the one above declares; nothing where there is none.

    A spec that cannot be read declares nothing here: `dure validate` says what is wrong with it.
    """
    for folder in map_file.resolve().parents[:2]:
        for name in _SPECS:
            if (folder / name).is_file():
                return _declared(folder / name)
    return Declared()


def _declared(spec: Path) -> Declared:
    import yaml

    try:
        content = yaml.load(spec.read_text(encoding="utf-8-sig"), Loader=yaml.BaseLoader)
    except (OSError, ValueError, yaml.YAMLError, RecursionError):
        return Declared()
    vocabularies = content.get("vocabularies") if isinstance(content, dict) else None
    if not isinstance(vocabularies, dict):
        return Declared()
    many = {
        str(name)
        for name, said in vocabularies.items()
        if isinstance(said, dict) and str(said.get("many_targets", "")).lower() in ("true", "yes")
    }
    return Declared(frozenset(map(str, vocabularies)), frozenset(many))
