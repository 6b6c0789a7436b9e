"""haneul: UTF-8, English headers, one row an event, local codes with KCD, EDI and ingredient codes beside them."""

from __future__ import annotations

import numpy as np

from dure.demo.generate import intended
from dure.demo.generate.bookkeeping import Desk
from dure.demo.generate.catalogue import facts
from dure.demo.generate.codes import answers, coding, reference_ranges
from dure.demo.generate.diagnosis_text import kcd_codes, with_moments
from dure.demo.generate.dirt import kinds
from dure.demo.generate.frames import DAY, NEVER, day, rows
from dure.demo.generate.lab_text import result_texts
from dure.demo.generate.note_text import note_texts
from dure.demo.generate.plans import plans
from dure.demo.generate.population import REGIONS
from dure.demo.generate.results import NO_ANSWER
from dure.demo.generate.sets import LIFELOG, VITALS
from dure.demo.generate.stays import visit_rows
from dure.demo.generate.text import NO_DATE, integers, iso_dates, iso_moments, numbers, where, words

NAME = "haneul"
_KCD_8 = day(2021)
_VISIT_TYPES = ("O", "I", "E", "E")
_RANKS = ("main", "sub", "rule-out")
_NOTES = ("progress", "discharge", "emergency")


def write(desk: Desk) -> None:
    """All files of a block and what they should become."""
    _patients(desk)
    _encounters(desk)
    _diagnoses(desk)
    _medication_orders(desk)
    _lab_results(desk)
    _procedures(desk)
    _vitals(desk)
    _notes(desk)
    _lifelog(desk)


def _patients(desk: Desk) -> None:
    persons, known = desk.recorded.persons, desk.recorded.known
    death = desk.recorded.death[known]
    ids = desk.names.patients(known)
    columns = {
        "patient_id": ids,
        "birth_date": iso_dates(persons["birth"][known]),
        "sex": words(("M", "F"), persons["female"][known].astype(np.int64)),
        "region": words(REGIONS, persons["region"][known]),
        "death_date": where(death < NEVER, iso_dates(np.where(death < NEVER, death, 0)), None),
    }
    desk.file("patients.csv", columns, ["patient_id"])
    desk.persons(ids, exact=True)


def _encounters(desk: Desk) -> None:
    frame = visit_rows(desk.recorded)
    columns = {
        "encounter_id": desk.names.visits(frame["person"], frame["seq"], frame["ward"]),
        "patient_id": desk.names.patients(frame["person"]),
        "visit_type": words(_VISIT_TYPES, frame["class"]),
        "department": words([plan.department for plan in plans()], frame["plan"]),
        "start_at": iso_moments(frame["start"]),
        "end_at": where(frame["closed"], iso_moments(frame["end"]), None),
    }
    desk.file("encounters.csv", columns, ["encounter_id"], frame["dirt"])
    desk.visits(desk.names.patients(desk.recorded.visits["person"]), desk.names.of_visits(), timed=True)


def _diagnoses(desk: Desk) -> None:
    frame = with_moments(desk.recorded)
    dirt, when = frame["dirt"], frame["minute"] // DAY
    later = dirt == kinds()["code_version"].number
    named, visit = desk.names.of_events(frame)
    person = desk.names.patients(frame["person"])
    stranger = dirt == kinds()["orphan_person"].number
    columns = {
        "diagnosis_id": desk.names.of_rows("DX", frame),
        "encounter_id": named,
        "patient_id": where(stranger, desk.names.strangers("HX", frame["person"]), person),
        "diagnosis_date": iso_dates(np.where(frame["undated"], NO_DATE, when)),
        "kcd_version": words(("7", "8", "9"), np.where(later, 2, (when >= _KCD_8).astype(np.int64))),
        "kcd_code": kcd_codes(frame, NAME),
        "diagnosis_name": words(coding(NAME, "name"), frame["fact"]),
        "rank": words(_RANKS, frame["rank"]),
    }
    desk.file("diagnoses.csv", columns, ["diagnosis_id"], dirt, repeats=True)
    intended.add_diagnoses(desk, frame, person, visit, when)


def _medication_orders(desk: Desk) -> None:
    frame = desk.recorded.orders
    dirt, fact = frame["dirt"], frame["fact"]
    dose, times = intended.doses(fact)
    which = np.where(fact < 0, len(facts()), fact)
    named, visit = desk.names.of_events(frame)
    person = desk.names.patients(frame["person"])
    columns = {
        "order_id": desk.names.of_rows("OR", frame),
        "encounter_id": named,
        "patient_id": person,
        "ordered_at": iso_moments(frame["minute"]),
        "local_code": words(coding(NAME, "code", "D9999"), which),
        "edi_code": words(coding(NAME, "edi_code"), which),
        "ingredient_code": words(coding(NAME, "ingredient_code"), which),
        "drug_name": words(coding(NAME, "name"), which),
        "dose": numbers(dose),
        "dose_unit": words(coding(NAME, "dose_unit"), which),
        "frequency": integers(times),
        "days": integers(frame["days"]),
        "route": words(coding(NAME, "route"), which),
        "discontinued": words(("N", "Y"), (dirt == kinds()["cancelled_order"].number).astype(np.int64)),
    }
    desk.file("medication_orders.csv", columns, ["order_id"], dirt)
    intended.add_drugs(desk, frame, person, visit)


def _lab_results(desk: Desk) -> None:
    frame = desk.recorded.labs
    dirt, fact = frame["dirt"], frame["fact"]
    which = np.where(fact < 0, len(facts()), fact)
    named, visit = desk.names.of_events(frame)
    person = desk.names.patients(frame["person"])
    # The insurance code is exported for about half of the results.
    told = (desk.recorded.persons["local"][frame["person"]] + fact) % 2 == 0
    columns = {
        "result_id": desk.names.of_rows("LR", frame),
        "encounter_id": named,
        "patient_id": person,
        "collected_at": iso_moments(frame["minute"]),
        "local_code": words(coding(NAME, "code", "L9999"), which),
        "test_name": words(coding(NAME, "name"), which),
        "specimen": words(coding(NAME, "specimen"), which),
        "result": result_texts(frame, NAME),
        "unit": words(coding(NAME, "unit"), which),
        "reference_range": words((*reference_ranges(NAME, "-"), ""), which),
        "edi_code": words(coding(NAME, "edi_code"), np.where(told, which, -1)),
    }
    desk.file("lab_results.csv", columns, ["result_id"], dirt, repeats=True)
    intended.add_labs(desk, frame, person, visit)


def _procedures(desk: Desk) -> None:
    frame = desk.recorded.procedures
    fact = frame["fact"]
    named, visit = desk.names.of_events(frame)
    person = desk.names.patients(frame["person"])
    ones = np.ones(len(fact), np.int64)
    columns = {
        "procedure_id": desk.names.of_rows("PR", frame),
        "encounter_id": named,
        "patient_id": person,
        "performed_at": iso_moments(frame["minute"]),
        "local_code": words(coding(NAME, "code"), fact),
        "edi_code": words(coding(NAME, "edi_code"), fact),
        "procedure_name": words(coding(NAME, "name"), fact),
        "quantity": integers(ones),
    }
    desk.file("procedures.csv", columns, ["procedure_id"])
    desk.records.add(person, visit, fact, frame["minute"] // DAY, minute=frame["minute"])


def _vitals(desk: Desk) -> None:
    frame = desk.recorded.vitals
    names = [*VITALS, "smoking"]
    taken = np.stack([*(~np.isnan(frame[name]) for name in VITALS), frame["smoking"] != NO_ANSWER], axis=1)
    at, column = np.nonzero(taken)
    values = np.stack([*(frame[name] for name in VITALS), np.full(rows(frame), np.nan)], axis=1)[at, column]
    fact = np.array([facts().number[name] for name in names])[column]
    long = {"person": frame["person"][at], "visit": frame["visit"][at], "minute": frame["minute"][at]}
    answer = np.where(column == len(VITALS), frame["smoking"][at], NO_ANSWER)
    named, visit = desk.names.of_events(long)
    person = desk.names.patients(long["person"])
    columns = {
        "vital_id": desk.names.of_rows("VS", long),
        "encounter_id": named,
        "patient_id": person,
        "measured_at": iso_moments(long["minute"]),
        "item": words(coding(NAME, "code"), fact),
        "value": where(answer >= 0, words(answers(NAME), answer), numbers(values)),
        "unit": words(coding(NAME, "unit"), fact),
    }
    desk.file("vitals.csv", columns, ["vital_id"])
    desk.records.add(person, visit, fact, long["minute"] // DAY, minute=long["minute"], value=values, answer=answer)


def _notes(desk: Desk) -> None:
    frame = desk.recorded.notes
    named, visit = desk.names.of_events(frame)
    person = desk.names.patients(frame["person"])
    columns = {
        "note_id": desk.names.of_rows("NT", frame),
        "encounter_id": named,
        "patient_id": person,
        "written_at": iso_moments(frame["minute"]),
        "note_type": words(_NOTES, frame["kind"]),
        "text": note_texts(desk.recorded, frame),
    }
    desk.file("notes.csv", columns, ["note_id"], frame["dirt"], quoted=True)
    desk.records.add_notes(person, visit, frame["minute"], frame["dirt"])


def _lifelog(desk: Desk) -> None:
    frame = desk.recorded.lifelog
    person = desk.names.patients(frame["person"])
    columns = {"patient_id": person, "date": iso_dates(frame["day"])}
    for name, header in zip(LIFELOG, ("steps", "sleep_hours", "resting_heart_rate"), strict=True):
        columns[header] = numbers(frame[name])
        fact = np.full(rows(frame), facts().number[name])
        desk.records.add(person, None, fact, frame["day"], value=frame[name])
    desk.file("lifelog.csv", columns, ["patient_id", "date"])
