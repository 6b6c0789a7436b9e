"""Whether a request may be answered today, from this store, with this key: every reason against it at once."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import date

from dure.center.extract.request import Request, RequestFile
from dure.errors import DureError, ExitCode, Problem
from dure.site.yaml_text import closest
from dure.vocab.store import VocabularyStore

# Concepts of hospitals' own: no vocabulary has them.
LOCAL_CONCEPTS = 2_000_000_000


class ExtractRefused(DureError):
    """The request may not be answered: nothing was written but a line of the log."""

    exit_code = ExitCode.GATE_CLOSED


def reasons_against(
    request: Request,
    file: RequestFile,
    today: date,
    sites: Iterable[str],
    key: str,
    vocabulary: VocabularyStore,
    local: Collection[int],
) -> list[Problem]:
    """Why not; empty where it may be. `local` are the concepts that the hospitals' own blocks hold."""
    return [
        *_approval(request, file, today),
        *_sites(request, file, set(sites)),
        *_key(request, file, key),
        *_concepts(request, file, vocabulary, local),
    ]


def _approval(request: Request, file: RequestFile, today: date) -> list[Problem]:
    found = []
    for place, approval in enumerate(request.approvals):
        if today > approval.until:
            found.append(
                file.problem(
                    ("approvals", place, "until"), f"the approval ended on {approval.until}", "have it renewed"
                )
            )
        if today < approval.approved:
            do = "wait for that day"
            found.append(
                file.problem(("approvals", place, "approved"), f"the approval begins on {approval.approved}", do)
            )
    if today > request.valid_until:
        found.append(file.problem(("valid_until",), f"the request ended on {request.valid_until}", "write a new one"))
    last = min(approval.until for approval in request.approvals)
    if request.valid_until > last:
        found.append(
            file.problem(("valid_until",), f"is after the approvals end, on {last}", f"write {last} or before")
        )
    return found


def _sites(request: Request, file: RequestFile, sites: set[str]) -> list[Problem]:
    do = "name hospitals whose deliveries the store holds"
    return [
        file.problem(("sites", place), f"the store holds no delivery of '{site}'{closest(site, sites)}", do)
        for place, site in enumerate(request.sites)
        if site not in sites
    ]


def _key(request: Request, file: RequestFile, key: str) -> list[Problem]:
    if key == request.key:
        return []
    do = "use the project's own key: with another's, two projects could be joined"
    return [file.problem(("key",), f"is not that of the key given, which is {key}", do)]


def _concepts(
    request: Request, file: RequestFile, vocabulary: VocabularyStore, local: Collection[int]
) -> list[Problem]:
    named = {concept for each in request.concepts.values() for concept in (*each.include, *each.exclude)}
    known = vocabulary.concepts({concept for concept in named if concept < LOCAL_CONCEPTS}, ["standard_concept"])
    standard: Mapping[int, str | None] = dict(zip(known["concept_id"], known["standard_concept"], strict=True))
    found = []
    for name, each in request.concepts.items():
        for part, ids in (("include", each.include), ("exclude", each.exclude)):
            for place, concept in enumerate(ids):
                steps = ("concepts", name, part, place)
                if concept >= LOCAL_CONCEPTS:
                    if concept not in local:
                        found.append(file.problem(steps, f"no hospital has a concept {concept}", "check the number"))
                elif concept not in standard:
                    found.append(file.problem(steps, f"the vocabulary has no concept {concept}", "check the number"))
                elif part == "include" and standard[concept] not in ("S", "C"):
                    do = "name the standard concept that it maps to: deliveries hold no other"
                    found.append(file.problem(steps, f"{concept} is not a standard concept", do))
    return found
