"""From source codes to standard concepts: the site's map, then the consortium's, then the vocabulary's own `Maps to`.

Rules that the maps' authors meet:
- A map row speaks for a request when its filled code type, specimen and unit equal the request's; the row with more of
  them filled wins. Rows of one authority that are equally specific are alternatives, and alternatives need
  `many_targets`; without it the code gets concept 0 on the days on which they compete, and an error.
- An erroneous row (target unknown, invalid, unreadable) gives concept 0 and an error; the next authority is not asked,
  since a terminologist meant to overrule it. A sound row of the same rank beside it is applied.
- Dates count for maps, and for vocabularies declared to reuse codes (there the concept's own validity).
- With `fallback: parent`, days without any concept take the nearest wider code's, as equivalence `wider`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pandas as pd

from dure.site.local_concepts import LocalConcept
from dure.vocab.code_lookup import CodedConcept, coded_concepts, via_text
from dure.vocab.intervals import FIRST_DAY, LAST_DAY, Segment, Span, by_precedence
from dure.vocab.local_targets import adopted_concepts, local_statuses
from dure.vocab.map_files import MapFile, MapRow, read_map_file, short_name
from dure.vocab.map_targets import MapTargetStatus, map_target_statuses
from dure.vocab.maps.entry import MAPS_TO, MAPS_TO_VALUE
from dure.vocab.normalise import Normaliser, normaliser, parents
from dure.vocab.resolution import REQUEST, MappingProblem, Resolution, Target, problems_frame, targets_frame
from dure.vocab.store import VocabularyStore

_APPLIED = (MAPS_TO, MAPS_TO_VALUE)
_SITE, _CONSORTIUM, _VOCABULARY, _NOBODY = "site", "consortium", "vocabulary", "none"
_EQUAL, _WIDER = "equal", "wider"
_ALWAYS = (FIRST_DAY, LAST_DAY)


class CodeMapping(Protocol):
    """How the codes of one vocabulary of a spec are mapped; `dure.site.VocabularySpec` is one."""

    @property
    def site_maps(self) -> Sequence[Path]: ...
    @property
    def consortium_maps(self) -> Sequence[Path]: ...
    @property
    def same_as(self) -> str | None: ...
    @property
    def normalise(self) -> str | None: ...
    @property
    def fallback(self) -> str | None: ...
    @property
    def many_targets(self) -> bool: ...
    @property
    def reuses_codes(self) -> bool: ...


@dataclass(frozen=True)
class _Undeclared:
    """A vocabulary that the spec names without a word on it: Athena's own id, no maps."""

    site_maps: tuple[Path, ...] = ()
    consortium_maps: tuple[Path, ...] = ()
    same_as: str | None = None
    normalise: str | None = None
    fallback: str | None = None
    many_targets: bool = False
    reuses_codes: bool = False


@dataclass(frozen=True, slots=True)
class _Claim:
    """Who speaks: a row of a map, or a concept of the vocabulary; `step` is the code under which it was found."""

    authority: str
    step: str
    wider: bool
    row: MapRow | None = None
    concept: CodedConcept | None = None


def resolve(
    requests: pd.DataFrame,
    vocabularies: Mapping[str, CodeMapping],
    store: VocabularyStore,
    local_concepts: Sequence[LocalConcept] = (),
) -> Resolution:
    """The concepts of every distinct request (columns REQUEST; code type, specimen and unit may be None).

    `local_concepts` are targets too: standard ones where a map of the consortium adopts them. A request without vocabulary or code has no concept. Raises ConfigurationError where a map cannot be read.
    """
    wanted = [
        tuple(None if pd.isna(part) else str(part) for part in row)
        for row in requests[list(REQUEST)].drop_duplicates().itertuples(index=False, name=None)
    ]
    by_vocabulary: dict[str, list[tuple[str | None, ...]]] = {}
    rows: list[tuple[tuple[str | None, ...], Target]] = []
    for request in dict.fromkeys(wanted):
        if request[0] is None or request[1] is None:
            rows.append((request, _unmapped(Segment(*_ALWAYS, ()), 0)))
        else:
            by_vocabulary.setdefault(request[0], []).append(request)
    problems: list[MappingProblem] = []
    files: dict[Path, MapFile] = {}

    def read(path: Path) -> MapFile:
        if path not in files:
            files[path] = read_map_file(path)
        return files[path]

    adopted = adopted_concepts(local_concepts, vocabularies.values(), read)
    local = local_statuses(local_concepts, adopted)
    for vocabulary, asked in by_vocabulary.items():
        mapping = vocabularies.get(vocabulary, _Undeclared())
        resolver = _Resolver(vocabulary, mapping, store, read, local)
        resolver.prepare({(str(request[1]), request[2] or "") for request in asked})
        rows += ((request, target) for request in asked for target in resolver.targets(request))
        problems += resolver.problems
    return Resolution(targets_frame(rows), problems_frame(problems))


class _Resolver:
    """Resolves the codes of one vocabulary of the spec."""

    def __init__(
        self,
        vocabulary: str,
        mapping: CodeMapping,
        store: VocabularyStore,
        read: Callable[[Path], MapFile],
        local: Mapping[int, MapTargetStatus],
    ) -> None:
        self.vocabulary = vocabulary
        self.problems: dict[MappingProblem, None] = {}
        self._mapping = mapping
        self._store = store
        self._local = local
        self._searched = mapping.same_as or vocabulary
        self._codes: Normaliser = normaliser(mapping.normalise, self._searched)
        self._maps = [
            (authority, self._by_form(paths, read))
            for authority, paths in ((_SITE, mapping.site_maps), (_CONSORTIUM, mapping.consortium_maps))
        ]
        self._concepts: dict[str, list[CodedConcept]] = {}
        self._statuses: dict[int, MapTargetStatus] = {}
        has_codes = self._searched in store.vocabulary_ids()
        if not has_codes and not any(rows for _, rows in self._maps):
            self._report(
                "", "vocabulary_unknown", "warning", f"neither a map nor the vocabulary has codes of {self._searched}"
            )

    def _by_form(self, paths: Iterable[Path], read: Callable[[Path], MapFile]) -> dict[str, list[MapRow]]:
        """The rows of this vocabulary by the form of their code."""
        by_form: dict[str, list[MapRow]] = {}
        for path in paths:
            file, used = read(path), 0
            for row in file.rows:
                if row.vocabulary in ("", self.vocabulary, self._searched):
                    if row.mapping_type not in _APPLIED:
                        detail = f"a row says {row.mapping_type}; a run applies {' and '.join(_APPLIED)}"
                        self._report(row.code, "mapping_type_not_applied", "warning", detail, row.file, row.row)
                        used += 1
                        continue
                    by_form.setdefault(self._codes.form(row.code), []).append(row)
                    used += 1
            if file.not_approved:
                statuses = Counter(status or "no status" for _, status in file.not_approved)
                found = ", ".join(f"{count} {status}" for status, count in sorted(statuses.items()))
                detail = f"{len(file.not_approved)} rows are not approved, so not applied: {found}"
                self._report("", "not_approved", "warning", detail, short_name(path), file.not_approved[0][0])
            for number in file.without_code:
                self._report("", "code_missing", "error", "the row names no code", short_name(path), number)
            if file.rows and not used:
                names = ", ".join(sorted({row.vocabulary for row in file.rows})[:3])
                detail = f"no row has the source vocabulary {self.vocabulary}; the file has {names}"
                self._report("", "map_of_other_vocabulary", "warning", detail, short_name(path))
        return by_form

    def _report(
        self, code: str, rule: str, severity: str, detail: str, file: str | None = None, row: int | None = None
    ) -> None:
        self.problems[MappingProblem(self.vocabulary, code, rule, severity, detail, file, row)] = None

    def prepare(self, codes: Iterable[tuple[str, str]]) -> None:
        """Reads from the store what (code, code type) pairs need: their concepts, the targets of their map rows."""
        spellings: set[str] = set()
        targets: set[int] = set()
        for code, code_type in codes:
            steps = self._codes.steps(code, code_type)
            spellings.add(code)
            for step in (*steps, *self._parents(steps[-1])):
                spellings.update(self._codes.spellings(step))
                for _, rows in self._maps:
                    targets.update(row.target for row in rows.get(self._codes.form(step), ()) if row.target)
        self._concepts = coded_concepts(self._store, self._searched, spellings)
        self._statuses = {**map_target_statuses(self._store, targets - self._local.keys()), **self._local}

    def _parents(self, step: str) -> tuple[str, ...]:
        return parents(step.replace(".", "")) if self._mapping.fallback == "parent" else ()

    def targets(self, request: tuple[str | None, ...]) -> Iterator[Target]:
        """The resolved rows of one request, in order of date and rank."""
        code = str(request[1])
        details = tuple(part or "" for part in request[2:])
        steps = self._codes.steps(code, details[0])
        spelled, own = self._own_concepts(code, steps)
        layers = [*self._map_layers(code, steps, details, wider=False)]
        cuts: set[int] = set()
        if self._mapping.reuses_codes:
            own_spans = [
                [Span(concept.start, concept.end, _Claim(_VOCABULARY, spelled, False, concept=concept))]
                for concept in own
            ]
            own_by_day = by_precedence(own_spans)
            cuts = {segment.start for segment in own_by_day}
            layers += [span for span in own_spans if span[0].item.concept and span[0].item.concept.targets]
        else:
            if len(own) > 1:
                detail = f"{len(own)} concepts have this code; concept {own[0].concept_id} is taken"
                self._report(code, "several_concepts", "warning", detail)
            own = own[:1]
            own_by_day = [Segment(*_ALWAYS, tuple(_Claim(_VOCABULARY, spelled, False, concept=each) for each in own))]
            layers += [[Span(*_ALWAYS, own_by_day[0].items[0])]] if own and own[0].targets else []
        for parent in self._parents(steps[-1]):
            layers += self._map_layers(code, (parent,), details, wider=True)
            layers += self._parent_layers(parent)
        if not layers and not cuts:
            yield _unmapped(Segment(*_ALWAYS, ()), own[0].concept_id if own else 0)
            return
        for segment in by_precedence(layers, cuts):
            source = _source_concept(own_by_day, segment.start)
            yield from self._segment(code, segment, source)

    def _own_concepts(self, code: str, steps: Sequence[str]) -> tuple[str, list[CodedConcept]]:
        """The concepts of the closest spelling of a code that the vocabulary has."""
        for spelled in dict.fromkeys([code, *(each for step in steps for each in self._codes.spellings(step))]):
            if spelled in self._concepts:
                return spelled, self._concepts[spelled]
        return code, []

    def _map_layers(
        self, code: str, steps: Sequence[str], details: tuple[str, ...], *, wider: bool
    ) -> Iterator[list[Span[_Claim]]]:
        for authority, by_form in self._maps:
            for step in steps:
                ranked: dict[tuple[int, bool, bool, bool], list[Span[_Claim]]] = {}
                for row in by_form.get(self._codes.form(step), ()):
                    filled = (row.code_type, row.specimen, row.unit)
                    if all(not part or part == asked for part, asked in zip(filled, details, strict=True)):
                        self._report_row(code, row)
                        claim = _Claim(authority, step, wider, row=row)
                        ranked.setdefault(row.specificity, []).append(Span(row.start, row.end, claim))
                for specificity in sorted(ranked, reverse=True):
                    spans = ranked[specificity]
                    # Sound rows first: a broken one only stands where no sound one of its rank speaks.
                    sound = [span for span in spans if span.item.row and self._is_sound(span.item.row)]
                    yield sound
                    if len(sound) < len(spans):
                        yield spans

    def _report_row(self, code: str, row: MapRow) -> None:
        """Reports what is wrong with a row that speaks for a code, whether or not a sound one wins over it."""
        if row.fault:
            self._report(code, row.fault, "error", row.detail, row.file, row.row)
        elif row.target:
            status = self._statuses[row.target]
            if status.rule:
                severity = "warning" if status.standard else "error"
                self._report(code, status.rule, severity, status.detail, row.file, row.row)

    def _is_sound(self, row: MapRow) -> bool:
        return row.target == 0 or (row.target is not None and bool(self._statuses[row.target].standard))

    def _parent_layers(self, parent: str) -> Iterator[list[Span[_Claim]]]:
        spelled, concepts = self._own_concepts(parent, (parent,))
        if not self._mapping.reuses_codes:
            concepts = concepts[:1]
        for concept in concepts:
            if concept.targets:
                validity = (concept.start, concept.end) if self._mapping.reuses_codes else _ALWAYS
                yield [Span(*validity, _Claim(_VOCABULARY, spelled, True, concept=concept))]

    def _segment(self, code: str, segment: Segment[_Claim], source: int) -> Iterator[Target]:
        if not segment.items:
            yield _unmapped(segment, source)
            return
        claim = segment.items[0]
        if claim.concept is not None:
            yield from self._of_vocabulary(code, segment, claim, claim.concept, source)
        else:
            yield from self._of_maps(code, segment, source)

    def _of_vocabulary(
        self, code: str, segment: Segment[_Claim], claim: _Claim, concept: CodedConcept, source: int
    ) -> Iterator[Target]:
        if concept.value_count > 1:
            detail = f"concept {concept.concept_id} has {concept.value_count} values; the smallest id is taken"
            self._report(code, "several_values", "warning", detail)
        for rank, target in enumerate(concept.targets):
            if target.hops:
                detail = f"a target of concept {concept.concept_id} is not standard, followed to {target.concept_id} by {target.via}"
                self._report(code, "target_moved", "warning", detail)
            yield Target(
                segment.start_date,
                segment.end_date,
                rank,
                source,
                target.concept_id,
                target.domain_id,
                target.value_concept_id,
                _WIDER if claim.wider else _EQUAL,
                _VOCABULARY,
                via_text(target) + _found_as(code, claim),
            )

    def _of_maps(self, code: str, segment: Segment[_Claim], source: int) -> Iterator[Target]:
        """The rows of the maps that win on a segment, checked: targets by concept id, or one row with concept 0."""
        speaking = [(claim, claim.row) for claim in segment.items if claim.row is not None]
        claims = [(claim, row) for claim, row in speaking if row.mapping_type == MAPS_TO]
        value = self._value_of_maps(code, [row for _, row in speaking if row.mapping_type == MAPS_TO_VALUE])
        if not claims:
            claims = speaking[:1]
            row = claims[0][1]
            detail = "the row gives a value, and no row of its rank a target to carry it"
            self._report(code, "value_without_target", "error", detail, row.file, row.row)
        by_target: dict[int, tuple[str, _Claim, MapRow]] = {}
        for claim, row in claims:
            if row.mapping_type != MAPS_TO:
                continue
            if row.target == 0:
                by_target.setdefault(0, ("", claim, row))
            status = self._statuses.get(row.target) if row.target else None
            for standard in status.standard if status else ():
                by_target.setdefault(standard.concept_id, (standard.domain_id, claim, row))
        first, first_row = claims[0]
        source = source or first_row.source_concept_id
        if len(by_target) > 1 and (0 in by_target or not self._mapping.many_targets):
            rows = ", ".join(sorted({row.provenance for _, _, row in by_target.values()}))
            found = "a target and target 0" if 0 in by_target else f"{len(by_target)} targets"
            detail = f"{found} at one time ({rows}); declare many_targets, or keep one"
            self._report(code, "several_targets", "error", detail, first_row.file, first_row.row)
            by_target = {}
        if not by_target or 0 in by_target:
            yield Target(
                segment.start_date,
                segment.end_date,
                0,
                source,
                0,
                None,
                None,
                None,
                first.authority,
                first_row.provenance,
            )
            return
        for rank, (target, (domain, claim, row)) in enumerate(sorted(by_target.items())):
            equivalence = _WIDER if claim.wider else row.equivalence
            provenance = row.provenance + _found_as(code, claim)
            yield Target(
                segment.start_date,
                segment.end_date,
                rank,
                source,
                target,
                domain,
                value,
                equivalence,
                claim.authority,
                provenance,
            )

    def _value_of_maps(self, code: str, rows: Sequence[MapRow]) -> int | None:
        """The concept that rows of type Maps to value give a code."""
        statuses = [self._statuses[row.target] for row in rows if row.target]
        values = sorted({standard.concept_id for status in statuses for standard in status.standard})
        if len(values) > 1:
            detail = f"{len(values)} values at one time; the smallest id is taken"
            self._report(code, "several_values", "warning", detail, rows[0].file, rows[0].row)
        return values[0] if values else None


def _found_as(code: str, claim: _Claim) -> str:
    return "" if claim.step == code else f" (as {claim.step})"


def _source_concept(own_by_day: Sequence[Segment[_Claim]], day: int) -> int:
    """The concept of the code itself on a day; 0 where it has none."""
    for segment in own_by_day:
        if segment.start <= day <= segment.end:
            concept = segment.items[0].concept if segment.items else None
            return concept.concept_id if concept else 0
    return 0


def _unmapped(segment: Segment[_Claim], source: int) -> Target:
    return Target(segment.start_date, segment.end_date, 0, source, 0, None, None, None, _NOBODY, None)
