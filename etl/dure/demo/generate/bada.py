"""bada: CP949 with CRLF, Korean headers and values, local codes with a code table that changes over time."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from dure.demo.generate import intended
from dure.demo.generate.bookkeeping import Desk
from dure.demo.generate.catalogue import facts, read
from dure.demo.generate.codes import answers, coding, reference_ranges
from dure.demo.generate.diagnosis_text import kcd_codes, with_moments
from dure.demo.generate.dirt import kinds
from dure.demo.generate.extract import Extract
from dure.demo.generate.frames import DAY, LAST, NEVER, Array, Frame, day, rows, running, years
from dure.demo.generate.lab_text import result_texts
from dure.demo.generate.note_text import note_texts
from dure.demo.generate.plans import INPATIENT, plans
from dure.demo.generate.sets import VITALS
from dure.demo.generate.stays import visit_rows, ward_rows
from dure.demo.generate.text import (
    NO_DATE,
    digits,
    fixed,
    integers,
    numbers,
    plain_dates,
    plain_moments,
    plain_times,
    where,
    words,
)

NAME = "bada"
_VISITS = ("외래", "입원", "응급", "응급")
_RANKS = ("주", "부", "배제")
_NOTES = ("경과기록", "퇴원요약", "응급기록")
_SURNAMES = tuple("김이박최정강조윤장임")
_DEPARTMENTS = {
    "IM": "내과", "PUL": "호흡기내과", "NEP": "신장내과", "CAR": "순환기내과", "RHE": "류마티스내과", "OS": "정형외과",
    "PSY": "정신건강의학과", "NEU": "신경과", "GI": "소화기내과", "ONC": "종양내과", "OBG": "산부인과", "INF": "감염내과",
    "FM": "가정의학과", "GS": "외과",
}  # fmt: skip
_FORMER_HBA1C = "D3061"
_BIRTHDAY_MISSING = 33


def write_lists(extract: Extract) -> None:
    """The files that are about the hospital itself: doctors, departments and the table of local codes."""
    names = list(_DEPARTMENTS)
    extract.write("진료과.csv", {"진료과코드": pa.array(names), "진료과명": pa.array(list(_DEPARTMENTS.values()))})
    extract.write(
        "의사.csv",
        {
            "의사번호": pa.array([f"D{place:03d}" for place in range(len(names))]),
            "의사명": pa.array([f"{_SURNAMES[place % 10]}○○" for place in range(len(names))]),
            "진료과코드": pa.array(names),
        },
    )
    listed = []
    for row in read(NAME):
        if row["file"] not in ("처방", "검사결과"):
            continue
        begin = "19000101"
        if row["fact"] == "hba1c":
            listed.append((row["code"], row["name"], _FORMER_HBA1C, row["code_type"], begin, "20191231"))
            begin = "20200101"
        listed.append((row["code"], row["name"], row["insurance_code"], row["code_type"], begin, "99991231"))
    header = ("원내코드", "원내명칭", "보험코드", "코드구분", "시작일자", "종료일자")
    extract.write(
        "원내코드표.csv",
        {name: pa.array(column) for name, column in zip(header, zip(*listed, strict=True), strict=True)},
    )


def write(desk: Desk) -> None:
    """All files of a block and what they should become."""
    _patients(desk)
    _visits(desk)
    _wards(desk)
    _diagnoses(desk)
    _orders(desk)
    _results(desk)
    _vitals(desk)
    _forms(desk)


def _patients(desk: Desk) -> None:
    persons, known = desk.recorded.persons, desk.recorded.known
    death = desk.recorded.death[known]
    birth, female, local = persons["birth"][known], persons["female"][known], persons["local"][known]
    born = plain_dates(birth)
    late = years(birth) >= 2000
    sex_digit = np.where(female, 2, 1) + 2 * late
    front = fixed(digits(years(birth), 2), _month_and_day(birth), digits(sex_digit, 1))
    ids = desk.names.patients(known)
    postcode = (persons["region"][known] * 7 + 1) * 1000 + persons["district"][known]
    again = desk.recorded.planter.chosen("patient_again", {"person": known}, "patients")
    columns = {
        "환자번호": ids,
        "환자명": words([f"{name}○○" for name in _SURNAMES], local % len(_SURNAMES)),
        "성별": words(("남", "여"), female.astype(np.int64)),
        "생년월일": where(local % _BIRTHDAY_MISSING == 0, None, born),
        "주민번호앞7자리": front,
        "우편번호": fixed(digits(postcode, 5)),
        "사망일자": where(death < NEVER, plain_dates(np.where(death < NEVER, death, 0)), None),
        "갱신일시": plain_moments(np.full(len(known), LAST * DAY + 1380)),
    }
    at = pa.array(again)
    former = {name: column.take(at) for name, column in columns.items()}
    former["우편번호"] = fixed(digits(postcode[again] + 100, 5))
    former["갱신일시"] = plain_moments(np.full(len(again), day(2020, 6, 30) * DAY + 1380))
    dirt = np.concatenate([np.zeros(len(known), np.int64), np.full(len(again), kinds()["patient_again"].number)])
    both = {name: pa.concat_arrays([column, former[name]]) for name, column in columns.items()}
    order = np.argsort(np.concatenate([known, known[again]]), kind="stable")
    desk.file(
        "환자.csv",
        {name: column.take(pa.array(order)) for name, column in both.items()},
        ["환자번호", "갱신일시"],
        dirt[order],
    )
    desk.persons(ids, exact=True)


def _month_and_day(days: Array) -> Array:
    dates = days.astype("datetime64[D]")
    months = dates.astype("datetime64[M]")
    return np.concatenate(
        [
            digits(months.astype(np.int64) % 12 + 1, 2),
            digits((dates - months.astype("datetime64[D]")).astype(np.int64) + 1, 2),
        ],
        axis=1,
    )


def _visits(desk: Desk) -> None:
    frame = visit_rows(desk.recorded)
    closed, plan = frame["closed"], frame["plan"]
    end = np.where(closed, frame["end"], 0)
    # 99991231 is how the ward system writes a stay that goes on.
    open_end = words(("99991231",), np.where(frame["still"], 0, -1))
    columns = {
        "내원번호": desk.names.visits(frame["person"], frame["seq"], frame["ward"]),
        "환자번호": desk.names.patients(frame["person"]),
        "내원구분": words(_VISITS, frame["class"]),
        "내원일자": plain_dates(frame["start"] // DAY),
        "내원시각": plain_times(frame["start"]),
        "퇴원일자": where(closed, plain_dates(end // DAY), open_end),
        "퇴원시각": where(closed, plain_times(end), None),
        "진료과코드": words([one.department for one in plans()], plan),
        "담당의사번호": words([f"D{place:03d}" for place in range(len(_DEPARTMENTS))], _doctor(plan)),
        "내원경로": words(("외래", "응급"), np.where(frame["class"] == INPATIENT, frame["ward"], -1)),
        "퇴원형태": words(("정상", "사망"), np.where(closed, frame["died"].astype(np.int64), -1)),
    }
    desk.file("내원.csv", columns, ["내원번호"], frame["dirt"])
    desk.visits(desk.names.patients(desk.recorded.visits["person"]), desk.names.of_visits(), timed=True)


def _doctor(plan: Array) -> Array:
    place = {name: number for number, name in enumerate(_DEPARTMENTS)}
    return np.array([place[one.department] for one in plans()])[plan]


def _wards(desk: Desk) -> None:
    frame, over = ward_rows(desk.recorded)
    visits = desk.recorded.visits
    columns = {
        "내원번호": desk.names.visits(visits["person"][frame["visit"]], visits["seq"][frame["visit"]], frame["ward"]),
        "이동순번": integers(frame["nth"] + 1),
        "병동구분": words(("입원",), np.zeros(rows(frame), np.int64)),
        "전입일시": plain_moments(frame["into"]),
        "전출일시": where(over, plain_moments(np.where(over, frame["out"], 0)), None),
    }
    desk.file("병동이동.csv", columns, ["내원번호", "이동순번"])


def _diagnoses(desk: Desk) -> None:
    frame = with_moments(desk.recorded)
    dirt, when = frame["dirt"], frame["minute"] // DAY
    named, visit = desk.names.of_events(frame)
    person = desk.names.patients(frame["person"])
    stranger = dirt == kinds()["orphan_person"].number
    columns = {
        "내원번호": named,
        # Counted over the emergency and the ward together, so that neither repeats a number.
        "진단순번": integers(running((frame["person"] << 32) + frame["visit"]) + 1),
        "환자번호": where(stranger, desk.names.strangers("9", frame["person"]), person),
        "진단일자": plain_dates(np.where(frame["undated"], NO_DATE, when)),
        "상병코드": kcd_codes(frame, NAME),
        "상병명": words(coding(NAME, "name"), frame["fact"]),
        "주부구분": words(_RANKS, frame["rank"]),
    }
    desk.file("진단.csv", columns, ["내원번호", "진단순번"], dirt, repeats=True)
    intended.add_diagnoses(desk, frame, person, visit, when)


def _orders(desk: Desk) -> None:
    """Drugs, procedures and devices are all orders; the code table tells them apart."""
    drugs, done = desk.recorded.orders, desk.recorded.procedures
    dose, times = intended.doses(drugs["fact"])
    is_drug = np.r_[np.ones(rows(drugs), bool), np.zeros(rows(done), bool)]
    frame = {
        "person": np.concatenate([drugs["person"], done["person"]]),
        "visit": np.concatenate([drugs["visit"], done["visit"]]),
        "fact": np.concatenate([drugs["fact"], done["fact"]]),
        "minute": np.concatenate([drugs["minute"], done["minute"]]),
        "dirt": np.concatenate([drugs["dirt"], done["dirt"]]),
        "dose": np.concatenate([dose, np.ones(rows(done))]),
        "times": np.concatenate([times, np.ones(rows(done), np.int64)]),
        "days": np.concatenate([drugs["days"], np.ones(rows(done), np.int64)]),
        "drug": is_drug,
    }
    order = np.argsort(frame["person"], kind="stable")
    frame = {name: column[order] for name, column in frame.items()}
    fact, dirt = frame["fact"], frame["dirt"]
    which = np.where(fact < 0, len(facts()), fact)
    named, _ = desk.names.of_events(frame)
    columns = {
        "처방번호": desk.names.of_rows("O", frame),
        "내원번호": named,
        "환자번호": desk.names.patients(frame["person"]),
        "처방일자": plain_dates(frame["minute"] // DAY),
        "처방코드": words(coding(NAME, "code", "ZZ999"), which),
        "1회투약량": numbers(frame["dose"]),
        "1일투여횟수": integers(frame["times"]),
        "투약일수": integers(frame["days"]),
        "용법경로": words(coding(NAME, "route", "경구"), which),
        "취소여부": words(("N", "Y"), (dirt == kinds()["cancelled_order"].number).astype(np.int64)),
    }
    desk.file("처방.csv", columns, ["처방번호"], dirt)
    _, visit = desk.names.of_events(drugs)
    intended.add_drugs(desk, drugs, desk.names.patients(drugs["person"]), visit)
    _, visit = desk.names.of_events(done)
    desk.records.add(desk.names.patients(done["person"]), visit, done["fact"], done["minute"] // DAY)


def _results(desk: Desk) -> None:
    frame = desk.recorded.labs
    fact = frame["fact"]
    which = np.where(fact < 0, len(facts()), fact)
    named, visit = desk.names.of_events(frame)
    person = desk.names.patients(frame["person"])
    kinds_of_specimen = list(dict.fromkeys(coding(NAME, "specimen")))
    specimen = np.array([kinds_of_specimen.index(text) for text in coding(NAME, "specimen")])[which]
    visits = desk.recorded.visits
    seq = visits["seq"][frame["visit"]] if rows(visits) else fact
    tube = fixed(
        "S",
        digits(desk.recorded.persons["local"][frame["person"]], 8),
        digits(seq, 3),
        digits(frame["draw"], 2),
        digits(specimen, 1),
    )
    columns = {
        "검체번호": tube,
        "검사코드": words(coding(NAME, "code", "ZZ999"), which),
        "내원번호": named,
        "환자번호": person,
        "접수일시": plain_moments(frame["minute"]),
        "검체코드": words(coding(NAME, "specimen"), which),
        "검사결과": result_texts(frame, NAME),
        "결과단위": words(coding(NAME, "unit"), which),
        "참고치": words((*reference_ranges(NAME, "~"), ""), which),
    }
    desk.file("검사결과.csv", columns, ["검체번호", "검사코드"], frame["dirt"], repeats=True)
    intended.add_labs(desk, frame, person, visit)


def _vitals(desk: Desk) -> None:
    frame = desk.recorded.vitals
    named, visit = desk.names.of_events(frame)
    person = desk.names.patients(frame["person"])
    columns = {
        "기록번호": desk.names.of_rows("B", frame),
        "내원번호": named,
        "환자번호": person,
        "측정일시": plain_moments(frame["minute"]),
    }
    headers = {row["fact"]: row["code"] for row in read(NAME) if row["file"] == "활력징후"}
    for name in VITALS:
        columns[headers[name]] = numbers(frame[name])
        _vital_truth(desk, frame, person, visit, name, ~np.isnan(frame[name]))
    columns[headers["smoking"]] = words(answers(NAME), frame["smoking"])
    _vital_truth(desk, frame, person, visit, "smoking", frame["smoking"] >= 0)
    desk.file("활력징후.csv", columns, ["기록번호"])


def _vital_truth(desk: Desk, frame: Frame, person: pa.Array, visit: pa.Array, name: str, taken: Array) -> None:
    which = np.flatnonzero(taken)
    at = pa.array(which)
    minute = frame["minute"][which]
    given = {"answer": frame[name][which]} if name == "smoking" else {"value": frame[name][which]}
    fact = np.full(len(which), facts().number[name])
    desk.records.add(person.take(at), visit.take(at), fact, minute // DAY, minute=minute, **given)


def _forms(desk: Desk) -> None:
    frame = desk.recorded.notes
    named, visit = desk.names.of_events(frame)
    person = desk.names.patients(frame["person"])
    columns = {
        "서식번호": desk.names.of_rows("F", frame),
        "내원번호": named,
        "환자번호": person,
        "작성일시": plain_moments(frame["minute"]),
        "서식구분": words(_NOTES, frame["kind"]),
        "내용": note_texts(desk.recorded, frame),
    }
    desk.file("서식.csv", columns, ["서식번호"], frame["dirt"], quoted=True)
    desk.records.add_notes(person, visit, frame["minute"], frame["dirt"])
