"""What the CDM must hold for a Synthea extract: an independent computation in plain Python.

Nothing here comes from Dure, no engine is involved, and the site's maps are written out again by hand: where this file
and a snapshot disagree, one of them has misread the rules.  It holds a whole small extract in memory.

    expected = Oracle(extract_folder, athena_folder).rows()

gives one `Row` for each row that the clinical tables must hold, with what a person can see of it: codes, concepts,
dates, values, the person's own id in the source and what tells one visit from another.  Record ids are not computed.

Decisions that the semantics leave open are marked "chosen".
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

Cells = dict[str, str | None]

# What the site says, once more.
SEX = {"M": 8507, "F": 8532}
RACE = {"white": 8527, "black": 8516, "asian": 8515, "native": 8657, "hawaiian": 8557}
ETHNICITY = {"hispanic": 38003563, "nonhispanic": 38003564}
VISIT = {
    "inpatient": 9201,
    "outpatient": 9202,
    "ambulatory": 9202,
    "wellness": 9202,
    "emergency": 9203,
    "urgentcare": 9203,
    "home": 581476,
    "virtual": 5083,
    "snf": 42898160,
    "hospice": 8546,
}
UNIT = {"{score}": 44777566, "U/L": 8645, "kU/L": 8810, "/a": 44777560}
ANSWER = {"Yes": "373066001", "No": "373067005"}  # SNOMED
SPECIALTY = {  # Medicare Specialty
    "GENERAL PRACTICE": "01",
    "FAMILY PRACTICE": "08",
    "INTERNAL MEDICINE": "11",
    "PSYCHIATRY": "26",
    "CHIROPRACTIC": "35",
    "OPTOMETRY": "41",
    "NURSE PRACTITIONER": "50",
    "AUDIOLOGIST": "64",
    "PHYSICAL THERAPY": "65",
    "CLINICAL PSYCHOLOGIST": "68",
    "CLINICAL SOCIAL WORKER": "80",
    "EMERGENCY MEDICINE": "93",
    "PHYSICIAN ASSISTANT": "97",
}
PAYER = {  # Source of Payment Typology
    "Medicare": "1",
    "Medicaid": "2",
    "Dual Eligible": "14",
    "Humana": "5",
    "UnitedHealthcare": "5",
    "Aetna": "5",
    "Cigna Health": "5",
    "Anthem": "6",
    "Blue Cross Blue Shield": "6",
    "NO_INSURANCE": "81",
}
COST_RECORD, US_DOLLAR = 32814, 44818668
CLAIM_TYPE = {"1": 32871, "2": 32845}
ENCOUNTER, PRESCRIPTION, ADMINISTRATION, LABORATORY, SURVEY, ALGORITHM = 32827, 32838, 32818, 32856, 32862, 32882
TYPE_OF_CATEGORY = {
    "laboratory": LABORATORY,
    "survey": SURVEY,
    "vital-signs": ENCOUNTER,
    "exam": ENCOUNTER,
    "procedure": ENCOUNTER,
    "therapy": ENCOUNTER,
    "imaging": ENCOUNTER,
    "social-history": ENCOUNTER,
}
POSTAL_ADDRESS = "56799-0"

TABLE_OF_DOMAIN = {
    "Condition": "condition_occurrence",
    "Drug": "drug_exposure",
    "Procedure": "procedure_occurrence",
    "Device": "device_exposure",
    "Measurement": "measurement",
    "Observation": "observation",
    "Specimen": "specimen",
}
# What `cost` calls the table that a cost belongs to.
DOMAIN_OF_TABLE = {table: domain for domain, table in TABLE_OF_DOMAIN.items()}
WITH_END = {"condition_occurrence", "drug_exposure", "procedure_occurrence", "device_exposure"}


class Visit(NamedTuple):
    """What tells a visit from the others, without its id."""

    person: str
    start: datetime
    end: datetime
    kind: str | None
    provider: str | None
    care_site: str | None


class Row(NamedTuple):
    """One row of a clinical table as a person sees it; a field that the table lacks is None."""

    table: str
    person: str
    visit: Visit | None
    concept_id: int
    source_value: str | None
    source_concept_id: int | None
    type_concept_id: int
    date: date
    datetime: datetime
    end_date: date | None = None
    end_datetime: datetime | None = None  # only where the source says an end
    value_as_number: float | None = None
    value_as_string: str | None = None
    value_as_concept_id: int | None = None
    value_source_value: str | None = None
    unit_concept_id: int | None = None
    unit_source_value: str | None = None
    qualifier_concept_id: int | None = None
    qualifier_source_value: str | None = None
    quantity: float | None = None
    unique_device_id: str | None = None


class Cost(NamedTuple):
    """One cost row, with the visit or the clinical row that it belongs to."""

    of: Visit | Row
    domain: str
    type_concept_id: int
    total_charge: float | None = None
    total_cost: float | None = None
    total_paid: float | None = None
    paid_by_payer: float | None = None
    paid_patient_copay: float | None = None
    currency_concept_id: int = US_DOLLAR


class PayerPeriod(NamedTuple):
    """One payer_plan_period row."""

    person: str
    start: date
    end: date
    payer: int | None
    payer_source_value: str | None
    family_source_value: str | None


class Person(NamedTuple):
    """One person row."""

    source_value: str
    gender: int
    year: int
    month: int
    day: int
    race: int
    ethnicity: int
    gender_source_value: str | None
    race_source_value: str | None
    ethnicity_source_value: str | None
    address: str | None
    state: str | None


class VisitRow(NamedTuple):
    """One visit_occurrence or visit_detail row."""

    visit: Visit
    concept_id: int
    type_concept_id: int


class Provider(NamedTuple):
    """One provider row."""

    source_value: str
    name: str | None
    gender: int | None
    specialty: int | None
    specialty_source_value: str | None
    care_site: str | None


@dataclass(frozen=True)
class Coded:
    """A code looked up: its own concept (None: no code, 0: unknown) and its targets with their domains."""

    source: int | None
    targets: tuple[tuple[int, str | None], ...]

    @property
    def optional(self) -> int | None:
        """The concept of an optional field: NULL without a code, 0 for a code without a concept."""
        return None if self.source is None else self.targets[0][0]


class Vocabulary:
    """An Athena folder in dictionaries: standing of each concept, and where it maps to."""

    def __init__(self, folder: Path) -> None:
        self.by_code: dict[tuple[str, str], int] = {}
        self.standard: dict[int, str] = {}  # id -> domain, standard concepts only
        self.known: set[int] = set()
        for concept in _athena(folder / "CONCEPT.csv"):
            number = int(concept["concept_id"])
            self.known.add(number)
            self.by_code[concept["vocabulary_id"], concept["concept_code"]] = number
            if concept["standard_concept"] == "S" and not concept["invalid_reason"]:
                self.standard[number] = concept["domain_id"]
        self.links: dict[str, dict[int, list[int]]] = {"Maps to": {}, "Concept replaced by": {}}
        for link in _athena(folder / "CONCEPT_RELATIONSHIP.csv"):
            if link["relationship_id"] in self.links and not link["invalid_reason"]:
                one, other = int(link["concept_id_1"]), int(link["concept_id_2"])
                self.links[link["relationship_id"]].setdefault(one, []).append(other)

    def look_up(self, vocabulary: str | None, code: str | None) -> Coded:
        """A code by the vocabulary's own `Maps to`; a target that is no longer standard is followed to one that is."""
        if code is None:
            return Coded(None, ((0, None),))
        source = self.by_code.get((vocabulary or "", code))
        found = (
            {t for first in self.links["Maps to"].get(source, []) if (t := self._standard(first))} if source else set()
        )
        targets = tuple((t, self.standard[t]) for t in sorted(found)) or ((0, None),)
        return Coded(source or 0, targets)

    def _standard(self, concept: int) -> int | None:
        seen: set[int] = set()
        waiting = [concept]
        while waiting:
            here = waiting.pop(0)
            if here in self.standard:
                return here
            if here not in seen and here in self.known:
                seen.add(here)
                waiting += self.links["Concept replaced by"].get(here, []) + self.links["Maps to"].get(here, [])
        return None

    def of_map(self, vocabulary: str, code: str | None) -> int:
        """The target of a short map that names a vocabulary's code; one that is not there is not written."""
        return self.by_code.get((vocabulary, code or ""), 0)


def _athena(path: Path) -> Iterator[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        yield from csv.DictReader(stream, delimiter="\t", quoting=csv.QUOTE_NONE)


def read_source(folder: Path, name: str, nothing: Sequence[str] = ()) -> list[Cells]:
    """The rows of a file of the extract; empty cells and the given words are None, white space around is trimmed."""
    with (folder / f"{name}.csv").open(encoding="utf-8", newline="") as stream:
        return [
            {
                column: (None if (text := cell.strip()) == "" or text in nothing else text)
                for column, cell in row.items()
            }
            for row in csv.DictReader(stream)
        ]


def moment(text: str | None) -> datetime | None:
    """A date or a time in UTC; None where there is neither.  Chosen: a date alone is midnight."""
    for pattern in ("%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%d"):
        try:
            return datetime.strptime(text or "", pattern)  # noqa: DTZ007
        except ValueError:
            continue
    return None


def distinct(rows: Iterable[Cells], key: Sequence[str]) -> list[Cells]:
    """Rows of a source with a key: identical ones count once, rows that share a key and differ are all rejected."""
    groups: dict[tuple[str | None, ...], list[Cells]] = {}
    for row in rows:
        groups.setdefault(tuple(row[column] for column in key), []).append(row)
    return [group[0] for group in groups.values() if all(row == group[0] for row in group)]


def ends_early(start: datetime, end: datetime) -> bool:
    """Whether an end lies before its start, compared at the coarser precision of the two (midnight is a bare date)."""
    midnight = datetime.min.time()
    bare = midnight in (start.time(), end.time())
    return end.date() < start.date() if bare else end < start


class Oracle:
    """The expected content of a snapshot; `rejected` counts the source rows that must not be in it, by file."""

    def __init__(self, extract: Path, vocabulary: Path) -> None:
        self.extract = extract
        self.vocabulary = Vocabulary(vocabulary)
        self.rejected: dict[str, int] = {}
        self.patients = {
            str(row["Id"]): row
            for row in distinct(read_source(extract, "patients"), ["Id"])
            if moment(row["BIRTHDATE"]) or self._reject("patients")
        }
        self.organizations = {str(r["Id"]): r for r in distinct(read_source(extract, "organizations"), ["Id"])}
        self.provider_rows = {str(r["Id"]): r for r in distinct(read_source(extract, "providers"), ["Id"])}
        self.visits: dict[str, Visit] = {}
        for row in distinct(read_source(extract, "encounters"), ["Id"]):
            start, end = moment(row["START"]), moment(row["STOP"])
            if row["PATIENT"] not in self.patients or start is None or (end and ends_early(start, end)):
                self._reject("encounters")
                continue
            provider = row["PROVIDER"] if row["PROVIDER"] in self.provider_rows else None
            site = row["ORGANIZATION"] if row["ORGANIZATION"] in self.organizations else None
            self.visits[str(row["Id"])] = Visit(
                str(row["PATIENT"]), start, end or start, row["ENCOUNTERCLASS"], provider, site
            )

    def _reject(self, file: str) -> bool:
        self.rejected[file] = self.rejected.get(file, 0) + 1
        return False

    # ------------------------------------------------------------ people and places

    def persons(self) -> list[Person]:
        """One row a patient with a birth date."""
        rows = []
        for key, row in self.patients.items():
            born = moment(row["BIRTHDATE"])
            assert born is not None
            rows.append(
                Person(
                    key,
                    SEX.get(row["GENDER"] or "", 0),
                    born.year,
                    born.month,
                    born.day,
                    RACE.get(row["RACE"] or "", 0),
                    ETHNICITY.get(row["ETHNICITY"] or "", 0),
                    row["GENDER"],
                    row["RACE"],
                    row["ETHNICITY"],
                    row["ADDRESS"],
                    "MA" if row["STATE"] == "Massachusetts" else row["STATE"],
                )
            )
        return rows

    def locations(self) -> set[tuple[str | None, ...]]:
        """Address, city, state and zip of each location, as the source writes them."""
        people = read_source(self.extract, "patients")
        return {(r["ADDRESS"], r["CITY"], r["STATE"], r["ZIP"]) for r in [*people, *self.organizations.values()]}

    def care_sites(self) -> list[tuple[str, str | None]]:
        """Source id and name of each organization."""
        return [(key, row["NAME"]) for key, row in self.organizations.items()]

    def providers(self) -> list[Provider]:
        """One row a provider."""
        rows = []
        for key, row in self.provider_rows.items():
            sex, specialty = row["GENDER"], row["SPECIALITY"]
            concept = self.vocabulary.of_map("Medicare Specialty", SPECIALTY.get(specialty or ""))
            rows.append(
                Provider(
                    key,
                    row["NAME"],
                    SEX.get(sex, 0) if sex else None,
                    concept if specialty else None,
                    specialty,
                    row["ORGANIZATION"] if row["ORGANIZATION"] in self.organizations else None,
                )
            )
        return rows

    def deaths(self) -> list[tuple[str, date]]:
        """Person and date of each death."""
        return [(key, died.date()) for key, row in self.patients.items() if (died := moment(row["DEATHDATE"]))]

    def visit_rows(self) -> list[VisitRow]:
        """One row an encounter: the same in visit_occurrence and in visit_detail while visits are not merged."""
        return [VisitRow(visit, VISIT.get(visit.kind or "", 0), ENCOUNTER) for visit in self.visits.values()]

    # ------------------------------------------------------------ events

    def rows(self) -> list[Row]:
        """Every row of the tables that hold clinical events."""
        made: list[Row] = []
        for rows in (
            self.conditions(),
            self.medications(),
            self.immunizations(),
            self.procedures(),
            self.care_plans(),
            self.imaging_studies(),
            self.devices(),
            self.supplies(),
            self.observations(),
            self.allergies(),
        ):
            made += rows
        return made

    def conditions(self) -> Iterator[Row]:
        for row in distinct(read_source(self.extract, "conditions"), ["PATIENT", "ENCOUNTER", "CODE", "START"]):
            code = self.vocabulary.look_up("SNOMED", row["CODE"])
            yield from self._event("conditions", "condition_occurrence", row, code, row["CODE"], ENCOUNTER)

    def medications(self) -> Iterator[Row]:
        for row in read_source(self.extract, "medications"):  # rows that share a key are all kept
            yield from self._medication(row)

    def _medication(self, row: Cells) -> Iterator[Row]:
        code = self.vocabulary.look_up("RxNorm", row["CODE"])
        return self._event("medications", "drug_exposure", row, code, row["CODE"], PRESCRIPTION)

    def immunizations(self) -> Iterator[Row]:
        for row in distinct(read_source(self.extract, "immunizations"), ["PATIENT", "ENCOUNTER", "CODE", "DATE"]):
            yield from self._immunization(row)

    def _immunization(self, row: Cells) -> Iterator[Row]:
        code = self.vocabulary.look_up("CVX", row["CODE"])
        return self._event("immunizations", "drug_exposure", row, code, row["CODE"], ADMINISTRATION)

    def procedures(self) -> Iterator[Row]:
        for row in distinct(read_source(self.extract, "procedures"), ["PATIENT", "ENCOUNTER", "CODE", "START"]):
            yield from self._procedure(row)

    def _procedure(self, row: Cells) -> Iterator[Row]:
        code = self.vocabulary.look_up("SNOMED", row["CODE"])
        return self._event("procedures", "procedure_occurrence", row, code, row["CODE"], ENCOUNTER)

    def care_plans(self) -> Iterator[Row]:
        for row in distinct(read_source(self.extract, "careplans"), ["Id"]):
            code = self.vocabulary.look_up("SNOMED", row["CODE"])
            yield from self._event("careplans", "procedure_occurrence", row, code, row["CODE"], ENCOUNTER)

    def imaging_studies(self) -> Iterator[Row]:
        """A study has a row a picture; it is one act, whose moment is the first picture's."""
        studies: dict[tuple[str | None, str | None], Cells] = {}
        for row in sorted(read_source(self.extract, "imaging_studies"), key=lambda row: row["DATE"] or ""):
            studies.setdefault((row["Id"], row["PROCEDURE_CODE"]), row)
        for row in studies.values():
            code = self.vocabulary.look_up("SNOMED", row["PROCEDURE_CODE"])
            name = row["PROCEDURE_CODE"]
            yield from self._event("imaging_studies", "procedure_occurrence", row, code, name, ENCOUNTER)

    def devices(self) -> Iterator[Row]:
        for row in distinct(read_source(self.extract, "devices"), ["PATIENT", "ENCOUNTER", "CODE", "START"]):
            code = self.vocabulary.look_up("SNOMED", row["CODE"])
            shown = {"unique_device_id": row["UDI"]}
            yield from self._event("devices", "device_exposure", row, code, row["CODE"], ENCOUNTER, **shown)

    def supplies(self) -> Iterator[Row]:
        for row in distinct(read_source(self.extract, "supplies"), ["PATIENT", "ENCOUNTER", "CODE", "DATE"]):
            code = self.vocabulary.look_up("SNOMED", row["CODE"])
            shown = {"quantity": _number(row["QUANTITY"])}
            yield from self._event("supplies", "device_exposure", row, code, row["CODE"], ENCOUNTER, **shown)

    def observations(self) -> Iterator[Row]:
        asked = [r for r in read_source(self.extract, "observations", ["null"]) if r["CODE"] != POSTAL_ADDRESS]
        for row in distinct(asked, ["PATIENT", "ENCOUNTER", "CODE", "DATE"]):
            code = self.vocabulary.look_up("LOINC", row["CODE"])
            kind = TYPE_OF_CATEGORY.get(row["CATEGORY"] or "", ALGORITHM)
            shown: dict[str, object] = {
                "value_source_value": row["VALUE"],
                "unit_source_value": row["UNITS"],
                "unit_concept_id": self._unit(row["UNITS"]),
            }
            if row["TYPE"] == "numeric":
                table = "measurement"
                shown |= {"value_as_number": _number(row["VALUE"])}
                if shown["value_as_number"] is None:
                    shown |= {"value_as_string": row["VALUE"]}
            elif row["TYPE"] == "text":
                table = "observation"
                answer = self.vocabulary.of_map("SNOMED", ANSWER.get(row["VALUE"] or "")) if row["VALUE"] else None
                shown |= {"value_as_string": row["VALUE"], "value_as_concept_id": answer}
            else:
                self._reject("observations")
                continue
            yield from self._event("observations", table, row, code, row["CODE"], kind, **shown)

    def allergies(self) -> Iterator[Row]:
        for row in distinct(read_source(self.extract, "allergies"), ["PATIENT", "CODE", "START"]):
            reactions = [row["REACTION1"]] + ([row["REACTION2"]] if row["REACTION2"] else [])
            for reaction in reactions:
                effect = self.vocabulary.look_up("SNOMED", reaction)
                if row["SYSTEM"] == "RxNorm":
                    known = self.vocabulary.of_map("SNOMED", "416098002") if row["TYPE"] == "allergy" else 0
                    # The map's concept is none of the source's; its domain is the observation's own.
                    code = Coded(0, ((known, "Observation" if known else None),))
                    drug = self.vocabulary.look_up("RxNorm", row["CODE"])
                    shown: dict[str, object] = {
                        "value_as_concept_id": drug.optional,
                        "value_source_value": row["CODE"],
                        "qualifier_concept_id": effect.optional,
                        "qualifier_source_value": reaction,
                    }
                    yield from self._event("allergies", "observation", row, code, row["TYPE"], ENCOUNTER, **shown)
                    continue
                system = {"SNOMED-CT": "SNOMED"}.get(row["SYSTEM"] or "", row["SYSTEM"])
                code = self.vocabulary.look_up(system, row["CODE"])
                shown = {"value_as_concept_id": effect.optional, "value_source_value": reaction}
                yield from self._event("allergies", "observation", row, code, row["CODE"], ENCOUNTER, **shown)

    # ------------------------------------------------------------ money

    def payer_periods(self) -> list[PayerPeriod]:
        """One row a span of insurance of a known person; a payer whom the site's map lacks has concept 0."""
        names = {row["Id"]: row["NAME"] for row in read_source(self.extract, "payers")}
        made = []
        for row in distinct(read_source(self.extract, "payer_transitions"), ["PATIENT", "START_YEAR", "PAYER"]):
            start, end = moment(row["START_YEAR"]), moment(row["END_YEAR"])
            if row["PATIENT"] not in self.patients or start is None or end is None or ends_early(start, end):
                self._reject("payer_transitions")
                continue
            name = names.get(row["PAYER"])
            payer = self.vocabulary.of_map("SOPT", PAYER.get(name)) if name else None
            made.append(PayerPeriod(str(row["PATIENT"]), start.date(), end.date(), payer, name, row["MEMBERID"]))
        return made

    def costs(self) -> list[Cost]:
        """One row for each encounter, medication, immunization, procedure and claim whose own row is written."""
        made = []
        for row in distinct(read_source(self.extract, "encounters"), ["Id"]):
            visit = self.visits.get(str(row["Id"]))
            if visit is not None:
                charge, cost = _number(row["TOTAL_CLAIM_COST"]), _number(row["BASE_ENCOUNTER_COST"])
                covered = _number(row["PAYER_COVERAGE"])
                made.append(Cost(visit, "Visit", COST_RECORD, charge, cost, paid_by_payer=covered))
        for row in read_source(self.extract, "medications"):
            covered = _number(row["PAYER_COVERAGE"])
            for of in first(self._medication(row)):
                made.append(_of_row(of, _number(row["TOTALCOST"]), covered))
        for row in distinct(read_source(self.extract, "immunizations"), ["PATIENT", "ENCOUNTER", "CODE", "DATE"]):
            made += [_of_row(of, _number(row["BASE_COST"])) for of in first(self._immunization(row))]
        for row in distinct(read_source(self.extract, "procedures"), ["PATIENT", "ENCOUNTER", "CODE", "START"]):
            made += [_of_row(of, _number(row["BASE_COST"])) for of in first(self._procedure(row))]
        return made + list(self._claims())

    def _claims(self) -> Iterator[Cost]:
        lines: dict[str | None, list[Cells]] = {}
        for line in distinct(read_source(self.extract, "claims_transactions"), ["ID"]):
            lines.setdefault(line["CLAIMID"], []).append(line)
        for claim in distinct(read_source(self.extract, "claims"), ["Id"]):
            visit = self.visits.get(claim["APPOINTMENTID"] or "")
            if visit is None:
                self._reject("claims")
                continue
            of_claim = lines.get(claim["Id"], [])
            yield Cost(
                visit,
                "Visit",
                CLAIM_TYPE.get(claim["HEALTHCARECLAIMTYPEID1"] or "", 0),
                total_charge=_sum(line["AMOUNT"] for line in of_claim if line["TYPE"] == "CHARGE"),
                total_paid=_sum(line["PAYMENTS"] for line in of_claim),
                paid_patient_copay=_sum(line["PAYMENTS"] for line in of_claim if line["METHOD"] == "COPAY"),
            )

    def _unit(self, text: str | None) -> int | None:
        """The site's unit map first, then UCUM's own codes; 0 for a unit without a concept."""
        return UNIT.get(text, self.vocabulary.look_up("UCUM", text).optional) if text else None

    def _event(
        self, file: str, table: str, row: Cells, code: Coded, source_value: str | None, kind: int, **shown: object
    ) -> Iterator[Row]:
        """The rows that one source row gives: one a target, each in the table of its domain."""
        person = row["PATIENT"] or ""
        start = moment(row.get("START") or row.get("DATE"))
        # An allergy's end is not read.
        end = None if file == "allergies" else moment(row.get("STOP"))
        if person not in self.patients or start is None or (end is not None and ends_early(start, end)):
            self._reject(file)
            return
        visit = self.visits.get(row["ENCOUNTER"] or "")
        if visit is not None and visit.person != person:
            visit = None
        for concept, domain in code.targets:
            home = table if domain is None else TABLE_OF_DOMAIN.get(domain, "observation")
            last = end.date() if end else None
            if home == "drug_exposure" and last is None:
                last = start.date() + timedelta(days=29 if kind == PRESCRIPTION else 0)
            has_end = home in WITH_END
            made = Row(
                home, person, visit, concept, source_value, code.source, kind, start.date(), start,
                last if has_end else None, end if has_end else None,
            )  # fmt: skip
            yield made._replace(**{k: v for k, v in shown.items() if _has(home, k)})


def first(rows: Iterable[Row]) -> list[Row]:
    """The first of the rows that one source row gives, if any: the one that its cost belongs to."""
    return list(rows)[:1]


def _of_row(row: Row, cost: float | None, covered: float | None = None) -> Cost:
    return Cost(row, DOMAIN_OF_TABLE[row.table], COST_RECORD, total_cost=cost, paid_by_payer=covered)


def _sum(amounts: Iterable[str | None]) -> float | None:
    """The sum of the amounts that are there, to the cent; None of none."""
    there = [Decimal(amount) for amount in amounts if amount is not None]
    return float(sum(there)) if there else None


def _has(table: str, name: str) -> bool:
    """Whether a table has a field of the value, unit, qualifier or amount."""
    if name == "unique_device_id":
        return table == "device_exposure"
    if name == "quantity":
        return table in ("device_exposure", "procedure_occurrence", "drug_exposure", "specimen")
    if name in ("value_as_string", "qualifier_concept_id", "qualifier_source_value"):
        return table == "observation"
    if name.startswith("unit_"):
        return table in ("measurement", "observation", "device_exposure")
    return table in ("measurement", "observation")


def _number(text: str | None) -> float | None:
    try:
        return float(text) if text else None
    except ValueError:
        return None
