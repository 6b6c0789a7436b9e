"""gangsan: the claims of the national health insurance as its sample cohort gives them, JK, T20 to T60, GJ and YK."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from dure.demo.generate import intended
from dure.demo.generate.bookkeeping import Desk
from dure.demo.generate.catalogue import facts, read, values
from dure.demo.generate.codes import coding
from dure.demo.generate.diagnosis_text import kcd_codes, with_moments
from dure.demo.generate.dirt import UNKNOWN
from dure.demo.generate.extract import Extract
from dure.demo.generate.frames import DAY, LAST, NEVER, Array, Frame, day, expand, rows, running, take, years
from dure.demo.generate.plans import ADMITTED, INPATIENT, plans
from dure.demo.generate.population import REGIONS
from dure.demo.generate.sets import CHECKS
from dure.demo.generate.text import NO_DATE, digits, fixed, integers, numbers, plain_dates, where, words

NAME = "gangsan"
FIRST_YEAR, LAST_YEAR = 2016, 2023
_INSTITUTIONS = 12
_FORMS = ("03", "02", "3", "2")
_ROUTES = ("", "21", "11", "11")
_LOST_ZERO = 37
"""One claim in so many has passed through a spreadsheet, which ate the zero of its form."""
# The specialities of the claim form.
_SPECIALITIES = {
    "IM": "01", "PUL": "01", "NEP": "01", "CAR": "01", "RHE": "01", "GI": "01", "ONC": "01", "INF": "01", "NEU": "02",
    "PSY": "03", "GS": "04", "OS": "05", "OBG": "10", "FM": "23",
}  # fmt: skip

_CHECK_COLUMNS = (
    "HEIGHT", "WEIGHT", "WAIST", "BP_HIGH", "BP_LWST", "BLDS", "TOT_CHOLE", "TRIGLYCERIDE", "HDL_CHOLE", "LDL_CHOLE",
    "HMG", "OLIG_PROTE_CD", "CREATININE", "SGOT_AST", "SGPT_ALT", "SMK_STAT_TYPE_RSPS_CD",
)  # fmt: skip


def _name(table: str) -> str:
    return f"NHIS_{table}_{FIRST_YEAR}_{LAST_YEAR}.csv"


def write_lists(extract: Extract) -> None:
    """The institutions, a row each and year."""
    pairs = [(year, number) for year in range(FIRST_YEAR, LAST_YEAR + 1) for number in range(_INSTITUTIONS)]
    extract.write(
        _name("YK"),
        {
            "STND_Y": pa.array([str(year) for year, _ in pairs]),
            "YKIHO_ID": pa.array([f"{31000000 + number}" for _, number in pairs]),
            "YKIHO_GUBUN_CD": pa.array(["10" if number < 3 else "20" for _, number in pairs]),
            "SIDO": pa.array([REGIONS[number % len(REGIONS)] for _, number in pairs]),
        },
    )


def write(desk: Desk) -> None:
    """All files of a block and what they should become."""
    _eligibility(desk)
    _claims(desk)
    _diagnoses(desk)
    _drugs(desk)
    _done(desk)
    _health_checks(desk)


def _keys(desk: Desk, frame: Frame) -> pa.Array:
    """The claim of each row; that of no claim where the visit is not there."""
    visits = desk.recorded.visits
    seq = np.where(frame["visit"] < 0, 9999, visits["seq"][np.maximum(frame["visit"], 0)] if rows(visits) else 9999)
    return fixed(digits(desk.recorded.persons["local"][frame["person"]], 8), digits(seq, 4))


def _claim_days(desk: Desk, frame: Frame) -> Array:
    """A claim's rows carry its first day."""
    visits = desk.recorded.visits
    if not rows(visits):
        return np.zeros(rows(frame), np.int64)
    found: Array = visits["start"][np.maximum(frame["visit"], 0)] // DAY
    return found


def _eligibility(desk: Desk) -> None:
    persons, known = desk.recorded.persons, desk.recorded.known
    death, born = desk.recorded.death[known], years(persons["birth"][known])
    died = np.where(death < NEVER, years(np.where(death < NEVER, death, 0)), 9999)
    first = np.maximum(born, FIRST_YEAR)
    owner, nth = expand(np.maximum(np.minimum(died, LAST_YEAR) - first + 1, 0))
    year, person = first[owner] + nth, known[owner]
    age = year - born[owner]
    last = died[owner] == year
    months = np.where(last, death[owner], 0).astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)
    region = persons["region"][person]
    columns = {
        "STND_Y": integers(year),
        "PERSON_ID": desk.names.patients(person),
        "SEX": words(("1", "2"), persons["female"][person].astype(np.int64)),
        "AGE_GROUP": integers(np.where(age == 0, 0, np.minimum(age // 5 + 1, 18))),
        "DTH_YM": where(last, fixed(digits(1970 + months // 12, 4), digits(months % 12 + 1, 2)), None),
        "DTH_CODE1": pa.nulls(len(owner), pa.string()),
        "SIDO": words(REGIONS, region),
        "SGG": fixed(_region_digits()[region], digits(persons["district"][person] * 10 + 110, 3)),
        "IPSN_TYPE_CD": integers(1 + persons["local"][person] % 6),
        "CTRB_PT_TYPE_CD": integers(persons["local"][person] // 7 % 11),
        "DFAB_GRD_CD": integers(np.where(persons["local"][person] % 50 == 0, 1, 0)),
    }
    desk.file(_name("JK"), columns, ["PERSON_ID", "STND_Y"])
    desk.persons(desk.names.patients(known), exact=False)


def _region_digits() -> Array:
    return np.array([[ord(character) for character in region] for region in REGIONS], np.uint8)


def _claims(desk: Desk) -> None:
    visits, diagnoses = desk.recorded.visits, desk.recorded.diagnoses
    count = rows(visits)
    everything = {"person": visits["person"], "visit": np.arange(count)}
    person, kind = visits["person"], visits["class"]
    start = visits["start"] // DAY
    last = np.minimum(visits["end"] // DAY, LAST)
    stays = (kind == INPATIENT) | (kind == ADMITTED)
    length = np.where(stays, last - start + 1, 1)
    named = take(diagnoses, (diagnoses["dirt"] == 0) & (diagnoses["visit"] >= 0))
    nth = running(named["visit"])
    sick = [np.full(count, -1), np.full(count, -1)]
    for place in (0, 1):
        at = nth == place
        sick[place][named["visit"][at]] = named["fact"][at]
    lost = (desk.recorded.persons["local"][person] + visits["seq"]) % _LOST_ZERO == 0
    charge = 15_000 + length * np.where(stays, 310_000, 8_000) + (visits["start"] % 97) * 130
    own = charge * np.where(stays, 2, 3) // 10
    key = _keys(desk, everything)
    columns = {
        "PERSON_ID": desk.names.patients(person),
        "KEY_SEQ": key,
        "YKIHO_ID": integers(31_000_000 + (desk.recorded.persons["local"][person] + visits["plan"]) % _INSTITUTIONS),
        "RECU_FR_DT": plain_dates(start),
        "FORM_CD": words(_FORMS, stays.astype(np.int64) + 2 * lost),
        "DSBJT_CD": words(_specialities(), visits["plan"]),
        "MAIN_SICK": words(coding(NAME, "code"), sick[0]),
        "SUB_SICK": words(coding(NAME, "code"), sick[1]),
        "IN_PAT_CORS_TYPE": words(_ROUTES, kind),
        "RECN": integers(length),
        "VSCN": integers(length),
        "FST_IN_PAT_DT": where(stays, plain_dates(start), None),
        "DMD_TRAMT": integers(charge),
        "DMD_SBRDN_AMT": integers(own),
        "DMD_JBRDN_AMT": integers(charge - own),
    }
    desk.file(_name("T20"), columns, ["KEY_SEQ"])
    desk.visits(desk.names.patients(person), key, timed=False)


def _specialities() -> list[str]:
    return [_SPECIALITIES[plan.department] for plan in plans()]


def _diagnoses(desk: Desk) -> None:
    frame = with_moments(desk.recorded)
    dirt, when, key = frame["dirt"], _claim_days(desk, frame), _keys(desk, frame)
    columns = {
        "KEY_SEQ": key,
        "SEQ_NO": integers(running((frame["person"] << 32) + frame["visit"]) + 1),
        "RECU_FR_DT": plain_dates(np.where(frame["undated"], NO_DATE, when)),
        "DSBJT_CD": words(_specialities(), desk.recorded.visits["plan"][frame["visit"]]),
        "SICK_SYM": kcd_codes(frame, NAME),
    }
    desk.file(_name("T40"), columns, ["KEY_SEQ", "SEQ_NO"], dirt, repeats=True)
    intended.add_diagnoses(desk, frame, desk.names.patients(frame["person"]), key, when)


def _drugs(desk: Desk) -> None:
    """Drugs given in hospital are in T30 with the procedures, prescribed ones in T60."""
    frame = desk.recorded.orders
    file = np.array(coding(NAME, "file", "T60"))
    frame = take(frame, file[frame["fact"]] != "")
    out = take(frame, file[frame["fact"]] == "T60")
    fact = np.where(out["fact"] == UNKNOWN, len(facts()), out["fact"])
    dose, times = intended.doses(out["fact"])
    cost = 120 + 35 * (fact % 40)
    columns = {
        "KEY_SEQ": _keys(desk, out),
        "SEQ_NO": integers(running((out["person"] << 32) + out["visit"]) + 1),
        "RECU_FR_DT": plain_dates(_claim_days(desk, out)),
        "DIV_TYPE_CD": words(coding(NAME, "code_type", "3"), fact),
        "DIV_CD": words(coding(NAME, "code", "999999999"), fact),
        "DD_MQTY_FREQ": numbers(dose),
        "DD_EXEC_FREQ": integers(times),
        "MDCN_EXEC_FREQ": integers(out["days"]),
        "UN_COST": integers(cost),
        "AMT": integers((cost * dose * times * out["days"]).astype(np.int64)),
    }
    desk.file(_name("T60"), columns, ["KEY_SEQ", "SEQ_NO"], out["dirt"], repeats=True)
    on_claim = frame | {"minute": _claim_days(desk, frame) * DAY}
    intended.add_drugs(desk, on_claim, desk.names.patients(frame["person"]), _keys(desk, frame))


def _done(desk: Desk) -> None:
    """Procedures, materials and the drugs given in hospital, as the lines of T30."""
    drugs, done = desk.recorded.orders, desk.recorded.procedures
    file = np.array(coding(NAME, "file", "T60"))
    drugs = take(drugs, file[drugs["fact"]] == "T30")
    done = take(done, file[done["fact"]] == "T30")
    dose, times = intended.doses(drugs["fact"])
    frame = {name: np.concatenate([drugs[name], done[name]]) for name in ("person", "visit", "fact", "dirt")}
    amounts = {
        "dose": np.r_[dose, np.ones(rows(done))],
        "times": np.r_[times, np.ones(rows(done), np.int64)],
        "days": np.r_[drugs["days"], np.ones(rows(done), np.int64)],
    }
    order = np.argsort((frame["person"] << 32) + frame["visit"], kind="stable")
    frame, amounts = take(frame, order), take(amounts, order)
    fact = np.where(frame["fact"] == UNKNOWN, len(facts()), frame["fact"])
    columns = {
        "KEY_SEQ": _keys(desk, frame),
        "SEQ_NO": integers(running((frame["person"] << 32) + frame["visit"]) + 1),
        "RECU_FR_DT": plain_dates(_claim_days(desk, frame)),
        "CLAUSE_CD": words(coding(NAME, "clause"), fact),
        "ITEM_CD": words(coding(NAME, "item"), fact),
        "DIV_TYPE_CD": words(coding(NAME, "code_type"), fact),
        "DIV_CD": words(coding(NAME, "code"), fact),
        "DD_MQTY_EXEC_FREQ": integers(amounts["times"]),
        "MDCN_EXEC_FREQ": integers(amounts["days"]),
        "DD_MQTY_FREQ": numbers(amounts["dose"]),
        "AMT": integers(1_000 + 450 * (fact % 60)),
    }
    desk.file(_name("T30"), columns, ["KEY_SEQ", "SEQ_NO"], frame["dirt"])
    desk.records.add(desk.names.patients(done["person"]), _keys(desk, done), done["fact"], _claim_days(desk, done))


def _health_checks(desk: Desk) -> None:
    frame = desk.recorded.checks
    headers = {row["fact"]: row["code"] for row in read(NAME) if row["file"] == "GJ"}
    person = desk.names.patients(frame["person"])
    starts = np.array([day(year) for year in range(FIRST_YEAR, LAST_YEAR + 1)])[frame["year"] - FIRST_YEAR]
    filled = {}
    for name in CHECKS:
        filled[headers[name]] = numbers(frame[name])
        desk.records.add(person, None, np.full(rows(frame), facts().number[name]), starts, value=frame[name])
    answers = [row[NAME] for row in values().rows]
    for name in ("urine_protein", "smoking"):
        filled[headers[name]] = words(answers, frame[name])
        desk.records.add(person, None, np.full(rows(frame), facts().number[name]), starts, answer=frame[name])
    columns = {"HCHK_YEAR": integers(frame["year"]), "PERSON_ID": person}
    columns |= {header: filled[header] for header in _CHECK_COLUMNS}
    desk.file(_name("GJ"), columns, ["PERSON_ID", "HCHK_YEAR"])
