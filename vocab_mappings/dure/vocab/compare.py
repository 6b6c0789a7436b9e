"""Whether hospitals send the same code, or the same description, to the same concept, and how far they share one map.

All of it is read from the evidence of runs. Two hospitals are compared on what both map; where only one of them does,
that is counted apart, since it is a gap and no disagreement.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations

import pyarrow as pa

from dure.vocab.common_map import CONSORTIUM, SITE
from dure.vocab.hierarchy import Hierarchy, names_of
from dure.vocab.normalise import normaliser
from dure.vocab.resolution import REQUEST
from dure.vocab.store import VocabularyStore

CODE, DESCRIPTION = "code", "description"
AGREEMENT = (
    "same", "site_a", "site_b", "shared", "only_one_mapped", "both_mapped", "agree", "agree_share",
    "records", "agree_records", "agree_records_share", "mean_distance", "unrelated",
)  # fmt: skip
DIFFERENCES = (
    "same", "vocabulary", "code", "code_type", "specimen", "unit", "description", "records", "distance",
    *(f"{part}_{side}" for side in "ab" for part in ("site", "vocabulary", "code", "targets", "names", "by", "records")),
)  # fmt: skip
ADOPTION = (
    "site", "codes", "codes_common", "codes_common_share", "codes_overridden",
    "records", "records_common", "records_common_share", "records_overridden",
)  # fmt: skip
OVERRIDES = (
    "site", *REQUEST, "description", "records", "own_targets", "own_names", "common_targets", "common_names",
    "differs", "distance", "provenance",
)  # fmt: skip
_SHORTEST = 2
Key = tuple[object, ...]


@dataclass(frozen=True)
class Comparison:
    """What `dure vocab compare` shows: rows of AGREEMENT, DIFFERENCES, ADOPTION and OVERRIDES."""

    agreement: list[dict[str, object]]
    differences: list[dict[str, object]]
    adoption: list[dict[str, object]]
    overrides: list[dict[str, object]]


@dataclass
class _Coded:
    """One code of one site: all its records, and what most of them were mapped to."""

    request: tuple[str | None, ...]
    role: str
    table: str
    description: str | None = None
    records: int = 0
    by_choice: dict[tuple[str, str, str | None, str | None], int] = field(default_factory=dict)

    @property
    def choice(self) -> tuple[str, str, str | None, str | None]:
        """(targets, authority, provenance, what the common map says) of most records."""
        return min(self.by_choice, key=lambda each: (-self.by_choice[each], tuple(str(part) for part in each)))

    @property
    def targets(self) -> frozenset[int]:
        return _ids(self.choice[0])


def compare(records: Mapping[str, pa.Table], store: VocabularyStore) -> Comparison:
    """Compares sites, by name, on their code records; distances and names are those of `store`."""
    coded = {site: _coded(table) for site, table in records.items()}
    everything = [each for codes in coded.values() for each in codes.values()]
    ids = {target for each in everything for target in each.targets | _ids(each.choice[3] or "")}
    hierarchy, names = Hierarchy(store, ids), names_of(store, ids)
    agreement: list[dict[str, object]] = []
    differing: list[dict[str, object]] = []
    for same in (CODE, DESCRIPTION):
        keyed = {site: _keyed(codes.values(), same) for site, codes in coded.items()}
        pairs = []
        for a, b in combinations(sorted(keyed), 2):
            shared = [(keyed[a][key], keyed[b][key]) for key in sorted(keyed[a].keys() & keyed[b].keys(), key=str)]
            if same == DESCRIPTION:  # one code under one name was compared as a code
                shared = [(one, other) for one, other in shared if one.request != other.request]
            pairs.append((a, b, [(one, other, _distance(hierarchy, one, other)) for one, other in shared]))
        for a, b, compared in pairs:
            agreement.append({"same": same, "site_a": a, "site_b": b} | _agreement(compared))
            differing += [
                _difference(same, (a, b), pair, distance, names)
                for *pair, distance in compared
                if pair[0].targets and pair[1].targets and pair[0].targets != pair[1].targets
            ]
        together = [each for _, _, compared in pairs for each in compared]
        agreement.append({"same": same, "site_a": "all", "site_b": "all"} | _agreement(together))
    differing.sort(key=lambda row: (row["same"], -int(str(row["records"])), str(row["code"]), str(row["site_a"])))
    overrides = [row for site, codes in sorted(coded.items()) for row in _overrides(site, codes, hierarchy, names)]
    return Comparison(agreement, differing, [_adoption(site, coded[site]) for site in sorted(coded)], overrides)


def normalised(description: str | None) -> str:
    """A description without what does not tell two of them apart: width, case, white space, punctuation."""
    folded = unicodedata.normalize("NFKC", description or "").casefold()
    return "".join(character for character in folded if character.isalnum())


def _coded(table: pa.Table) -> dict[Key, _Coded]:
    """The codes of one site that have a vocabulary, spellings of one code together (KCD with and without its dot).

    Codes without a vocabulary mean what they mean in their own spec, so nobody else's are the same.
    """
    columns = (
        *REQUEST, "role", "table", "description", "targets", "authority", "provenance", "common_targets", "records",
    )  # fmt: skip
    found: dict[Key, _Coded] = {}
    for row in zip(*(table[name].to_pylist() for name in columns), strict=True):
        request, (role, own, description, targets, authority, provenance, common, n) = row[:5], row[5:]
        if request[0] is None:
            continue
        form = normaliser(None, request[0]).form(request[1])
        code = found.setdefault(
            (role, request[0], form, *request[2:]), _Coded((request[0], form, *request[2:]), role, own)
        )
        code.description = code.description or description
        code.records += n
        choice = (targets, authority, provenance, common)
        code.by_choice[choice] = code.by_choice.get(choice, 0) + n
    return found


def _keyed(codes: Iterable[_Coded], same: str) -> dict[Key, _Coded]:
    """The codes by what must be the same; of several that one description stands for, the one with most records."""
    if same == CODE:
        return {(each.role, *each.request): each for each in codes}
    found: dict[Key, _Coded] = {}
    for each in codes:
        text = normalised(each.description)
        key = (each.role, each.table, text)
        if len(text) >= _SHORTEST and (key not in found or found[key].records < each.records):
            found[key] = each
    return found


def _distance(hierarchy: Hierarchy, one: _Coded, other: _Coded) -> int | None:
    if not one.targets or not other.targets:
        return None
    return 0 if one.targets == other.targets else hierarchy.between_sets(one.targets, other.targets)


def _agreement(compared: Sequence[tuple[_Coded, _Coded, int | None]]) -> dict[str, object]:
    """How far pairs of codes agree; records are those of both sites, distances the levels between unlike targets."""
    both = [(one, other, distance) for one, other, distance in compared if one.targets and other.targets]
    agree = [pair for pair in both if pair[0].targets == pair[1].targets]
    apart = [pair for pair in both if pair[0].targets != pair[1].targets]
    far = [(distance, one.records + other.records) for one, other, distance in apart if distance is not None]
    records, alike = (sum(one.records + other.records for one, other, _ in pairs) for pairs in (both, agree))
    weight = sum(n for _, n in far)
    return {
        "shared": len(compared),
        "only_one_mapped": sum(bool(one.targets) != bool(other.targets) for one, other, _ in compared),
        "both_mapped": len(both),
        "agree": len(agree),
        "agree_share": _share(len(agree), len(both)),
        "records": records,
        "agree_records": alike,
        "agree_records_share": _share(alike, records),
        "mean_distance": round(sum(distance * n for distance, n in far) / weight, 2) if weight else None,
        "unrelated": len(apart) - len(far),
    }


def _difference(
    same: str, sites: tuple[str, str], pair: Sequence[_Coded], distance: int | None, names: Mapping[int, str]
) -> dict[str, object]:
    one = pair[0]
    row: dict[str, object] = dict(zip(REQUEST, one.request, strict=True)) | {
        "same": same,
        "description": one.description or pair[1].description,
        "records": sum(each.records for each in pair),
        "distance": distance,
    }
    for side, site, each in zip("ab", sites, pair, strict=True):
        row |= {
            f"site_{side}": site,
            f"vocabulary_{side}": each.request[0],
            f"code_{side}": each.request[1],
            f"targets_{side}": each.choice[0],
            f"names_{side}": _names(each.targets, names),
            f"by_{side}": " ".join(part for part in each.choice[1:3] if part),
            f"records_{side}": each.records,
        }
    return row


def _adoption(site: str, codes: Mapping[Key, _Coded]) -> dict[str, object]:
    """Which part of a site's codes and records the common map decides, and which it would if the site did not."""
    common = [each for each in codes.values() if each.choice[1] == CONSORTIUM]
    overridden = [each for each in codes.values() if _overrides_common(each)]
    total = sum(each.records for each in codes.values())
    shared = sum(each.records for each in common)
    return {
        "site": site,
        "codes": len(codes),
        "codes_common": len(common),
        "codes_common_share": _share(len(common), len(codes)),
        "codes_overridden": len(overridden),
        "records": total,
        "records_common": shared,
        "records_common_share": _share(shared, total),
        "records_overridden": sum(each.records for each in overridden),
    }


def _overrides_common(code: _Coded) -> bool:
    return code.choice[1] == SITE and code.choice[3] is not None


def _overrides(
    site: str, codes: Mapping[Key, _Coded], hierarchy: Hierarchy, names: Mapping[int, str]
) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    for each in codes.values():
        if _overrides_common(each):
            targets, _, provenance, common = each.choice
            theirs = _ids(common or "")
            rows.append(
                {
                    **dict(zip(REQUEST, each.request, strict=True)),
                    "site": site,
                    "description": each.description,
                    "records": each.records,
                    "own_targets": targets,
                    "own_names": _names(each.targets, names),
                    "common_targets": common,
                    "common_names": _names(theirs, names),
                    "differs": each.targets != theirs,
                    "distance": 0 if each.targets == theirs else hierarchy.between_sets(each.targets, theirs),
                    "provenance": provenance,
                }
            )
    return sorted(rows, key=lambda row: (-int(str(row["records"])), str(row["code"])))


def _ids(targets: str) -> frozenset[int]:
    return frozenset(int(part) for part in targets.split())


def _names(ids: Iterable[int], names: Mapping[int, str]) -> str:
    return "; ".join(names.get(concept, "") for concept in sorted(ids))


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None
