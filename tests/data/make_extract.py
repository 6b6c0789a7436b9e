"""Writes `extract/`: a small extract in the shape of Synthea's CSV export, of nine invented patients.

    python tests/data/make_extract.py [OUT]

Nothing here is copied from anybody's data: names, addresses and numbers come from the lists and the arithmetic below,
the same on every run.  The codes are those of `make_vocabulary.py`.  `DIRT` lists what is wrong with it on purpose;
tests read that list, so that a change here is a change there.
"""

from __future__ import annotations

import csv
import sys
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

# Rows that no hospital should send, by what is wrong with them: name -> (file, how many rows).
DIRT = {
    "patient without a birth date": ("patients", 1),
    "visit of a patient whom nobody knows": ("encounters", 1),
    "visit that ends before it starts": ("encounters", 1),
    "visit of a class that no map has": ("encounters", 1),
    "date that no calendar has": ("conditions", 1),
    "code that no vocabulary has": ("conditions", 2),
    "row sent twice": ("immunizations", 1),
    "diagnosis of a visit that nobody knows": ("conditions", 1),
    "prescription that ends before it starts": ("medications", 1),
    "number that is none": ("observations", 1),
    "unit that no vocabulary has": ("observations", 1),
    "supply that no vocabulary has": ("supplies", 1),
    "insurance that ends before it starts": ("payer_transitions", 1),
    "claim for a visit that nobody knows": ("claims", 1),
}

# family name, given name, sex, birth, death, race, ethnicity, address, city, zip
PATIENTS = [
    ("김", "하늘", "F", "1958-03-14", "", "asian", "nonhispanic", "두레길 12", "우리읍", "01001"),
    ("이", "바다", "M", "1971-11-02", "", "asian", "nonhispanic", "두레길 12, 2층", "우리읍", "01001"),
    ("Marsh", "Odile", "F", "1949-07-30", "2021-10-05", "white", "nonhispanic", "8 Orchard Lane", "Fieldham", "01002"),
    ("Quarry", "Tomas", "M", "1984-01-19", "", "white", "hispanic", "31 Mill Street", "Fieldham", "01002"),
    ("박", "가람", "M", "2012-05-05", "", "asian", "nonhispanic", "느티나무로 7", "우리읍", ""),
    ("Okoro", "Ada", "F", "1990-09-09", "", "black", "nonhispanic", "5 Hill Road", "Upton", "01003"),
    ("Brook", "Ines", "F", "2001-12-24", "", "native", "nonhispanic", "77 Ferry Walk", "Upton", "01003"),
    ("최", "솔", "M", "1966-06-16", "", "martian", "nonhispanic", "한마음길 3", "우리읍", "01001"),
    ("Nobody", "Quite", "F", "", "", "white", "nonhispanic", "1 Nowhere", "Upton", "01003"),
]
ORGANIZATIONS = [
    ("두레의원", "1 Commons Square", "Fieldham", "01002"),
    ('"느티나무" 병원, 본원', "20 Station Road", "Upton", "01003"),
    ("Riverside Urgent Care", "9 Quay Street", "Upton", "01003"),
]
PROVIDERS = [
    ("정 한결", "F", "GENERAL PRACTICE", 0),
    ("Dr Wren", "M", "INTERNAL MEDICINE", 1),
    ("Dr Heron", "F", "EMERGENCY MEDICINE", 1),
    ("조 누리", "M", "NURSE PRACTITIONER", 2),
    ("Dr Finch", "F", "BEEKEEPING", 2),
]
CONDITIONS = ["195662009", "10509002", "59621000", "55822004", "15777000", "162864005", "160903007", "49727002"]
CONDITION_NAMES = {
    "195662009": "Acute viral pharyngitis", "10509002": "Acute bronchitis", "59621000": "Hypertension",
    "55822004": "Hyperlipidemia", "15777000": "Prediabetes", "162864005": "Obesity, BMI over 30",
    "160903007": "Works full time", "49727002": "기침", "74400008": "Appendicitis", "22298006": "Heart attack",
    "999000111222": "두레 고유 진단",
}  # fmt: skip
DRUGS = [
    ("197361", "amlodipine 5 mg", 20.0),
    ("314231", "simvastatin 10 mg", 14.5),
    ("313782", "acetaminophen 325 mg", 3.25),
    ("665078", "loratadine 5 mg", 7.75),
]
PROCEDURES = [
    ("430193006", "Medication reconciliation", 12),
    ("127783003", "Spirometry", 20),
    ("399208008", "Chest X-ray", 10),
    ("66348005", "Childbirth", 240),
]
PAYERS = ["두레공제", "Medicaid", "Medicare"]
FIRST_DAY, LAST_DAY = datetime(2019, 1, 7, tzinfo=UTC), datetime(2022, 3, 1, tzinfo=UTC)
VISIT_CLASSES = ["ambulatory", "wellness", "outpatient", "urgentcare", "virtual"]

HEADERS = {
    "patients": "Id,BIRTHDATE,DEATHDATE,SSN,DRIVERS,PASSPORT,PREFIX,FIRST,LAST,SUFFIX,MAIDEN,MARITAL,RACE,ETHNICITY,"
    "GENDER,BIRTHPLACE,ADDRESS,CITY,STATE,COUNTY,ZIP,LAT,LON,HEALTHCARE_EXPENSES,HEALTHCARE_COVERAGE",
    "organizations": "Id,NAME,ADDRESS,CITY,STATE,ZIP,LAT,LON,PHONE,REVENUE,UTILIZATION",
    "providers": "Id,ORGANIZATION,NAME,GENDER,SPECIALITY,ADDRESS,CITY,STATE,ZIP,LAT,LON,UTILIZATION",
    "encounters": "Id,START,STOP,PATIENT,ORGANIZATION,PROVIDER,PAYER,ENCOUNTERCLASS,CODE,DESCRIPTION,"
    "BASE_ENCOUNTER_COST,TOTAL_CLAIM_COST,PAYER_COVERAGE,REASONCODE,REASONDESCRIPTION",
    "conditions": "START,STOP,PATIENT,ENCOUNTER,CODE,DESCRIPTION",
    "medications": "START,STOP,PATIENT,PAYER,ENCOUNTER,CODE,DESCRIPTION,BASE_COST,PAYER_COVERAGE,DISPENSES,TOTALCOST,"
    "REASONCODE,REASONDESCRIPTION",
    "immunizations": "DATE,PATIENT,ENCOUNTER,CODE,DESCRIPTION,BASE_COST",
    "observations": "DATE,PATIENT,ENCOUNTER,CATEGORY,CODE,DESCRIPTION,VALUE,UNITS,TYPE",
    "procedures": "START,STOP,PATIENT,ENCOUNTER,CODE,DESCRIPTION,BASE_COST,REASONCODE,REASONDESCRIPTION",
    "allergies": "START,STOP,PATIENT,ENCOUNTER,CODE,SYSTEM,DESCRIPTION,TYPE,CATEGORY,REACTION1,DESCRIPTION1,SEVERITY1,"
    "REACTION2,DESCRIPTION2,SEVERITY2",
    "devices": "START,STOP,PATIENT,ENCOUNTER,CODE,DESCRIPTION,UDI",
    "supplies": "DATE,PATIENT,ENCOUNTER,CODE,DESCRIPTION,QUANTITY",
    "careplans": "Id,START,STOP,PATIENT,ENCOUNTER,CODE,DESCRIPTION,REASONCODE,REASONDESCRIPTION",
    "imaging_studies": "Id,DATE,PATIENT,ENCOUNTER,SERIES_UID,BODYSITE_CODE,BODYSITE_DESCRIPTION,MODALITY_CODE,"
    "MODALITY_DESCRIPTION,INSTANCE_UID,SOP_CODE,SOP_DESCRIPTION,PROCEDURE_CODE",
    "payers": "Id,NAME,ADDRESS,CITY,STATE_HEADQUARTERED,ZIP,PHONE,AMOUNT_COVERED,AMOUNT_UNCOVERED,REVENUE,"
    "COVERED_ENCOUNTERS,UNCOVERED_ENCOUNTERS,COVERED_MEDICATIONS,UNCOVERED_MEDICATIONS,COVERED_PROCEDURES,"
    "UNCOVERED_PROCEDURES,COVERED_IMMUNIZATIONS,UNCOVERED_IMMUNIZATIONS,UNIQUE_CUSTOMERS,QOLS_AVG,MEMBER_MONTHS",
    "payer_transitions": "PATIENT,MEMBERID,START_YEAR,END_YEAR,PAYER,SECONDARY_PAYER,OWNERSHIP,OWNERNAME",
    "claims": "Id,PATIENTID,PROVIDERID,PRIMARYPATIENTINSURANCEID,SECONDARYPATIENTINSURANCEID,DEPARTMENTID,"
    "PATIENTDEPARTMENTID,DIAGNOSIS1,DIAGNOSIS2,DIAGNOSIS3,DIAGNOSIS4,DIAGNOSIS5,DIAGNOSIS6,DIAGNOSIS7,DIAGNOSIS8,"
    "REFERRINGPROVIDERID,APPOINTMENTID,CURRENTILLNESSDATE,SERVICEDATE,SUPERVISINGPROVIDERID,STATUS1,STATUS2,STATUSP,"
    "OUTSTANDING1,OUTSTANDING2,OUTSTANDINGP,LASTBILLEDDATE1,LASTBILLEDDATE2,LASTBILLEDDATEP,HEALTHCARECLAIMTYPEID1,"
    "HEALTHCARECLAIMTYPEID2",
    "claims_transactions": "ID,CLAIMID,CHARGEID,PATIENTID,TYPE,AMOUNT,METHOD,FROMDATE,TODATE,PLACEOFSERVICE,"
    "PROCEDURECODE,MODIFIER1,MODIFIER2,DIAGNOSISREF1,DIAGNOSISREF2,DIAGNOSISREF3,DIAGNOSISREF4,UNITS,DEPARTMENTID,"
    "NOTES,UNITAMOUNT,TRANSFEROUTID,TRANSFERTYPE,PAYMENTS,ADJUSTMENTS,TRANSFERS,OUTSTANDING,APPOINTMENTID,LINENOTE,"
    "PATIENTINSURANCEID,FEESCHEDULEID,PROVIDERID,SUPERVISINGPROVIDERID",
}


def new_id(kind: str, number: int) -> str:
    """A UUID that stands for the numberth thing of a kind, the same on every run."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"https://example.org/dure/demo/{kind}/{number}"))


def stamp(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def day(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d")


@dataclass
class Extract:
    """The rows of each file in the order they are written."""

    rows: dict[str, list[dict[str, str]]] = field(default_factory=lambda: {name: [] for name in HEADERS})

    def add(self, file: str, **cells: str) -> None:
        unknown = set(cells) - set(HEADERS[file].split(","))
        if unknown:
            raise ValueError(f"{file} has no column {', '.join(sorted(unknown))}")
        self.rows[file].append(cells)

    def write(self, out: Path) -> None:
        out.mkdir(parents=True, exist_ok=True)
        for file, header in HEADERS.items():
            with (out / f"{file}.csv").open("w", encoding="utf-8", newline="") as stream:
                writer = csv.DictWriter(stream, header.split(","), restval="", lineterminator="\n")
                writer.writeheader()
                writer.writerows(self.rows[file])


def add_register(extract: Extract) -> None:
    """Patients, organizations and the people who work there."""
    for n, (family, given, sex, birth, death, race, ethnicity, address, city, zip_code) in enumerate(PATIENTS):
        extract.add(
            "patients", Id=new_id("patient", n), BIRTHDATE=birth, DEATHDATE=death, FIRST=given, LAST=family,
            SSN=f"999-00-{n:04d}", RACE=race, ETHNICITY=ethnicity, GENDER=sex, ADDRESS=address, CITY=city,
            STATE="Massachusetts", COUNTY="Common County", ZIP=zip_code, LAT=f"{42 + n / 100:.4f}",
            LON=f"{-71 - n / 100:.4f}", HEALTHCARE_EXPENSES=f"{1000 * n}.50", HEALTHCARE_COVERAGE="0.00",
        )  # fmt: skip
    for n, (name, address, city, zip_code) in enumerate(ORGANIZATIONS):
        extract.add(
            "organizations", Id=new_id("organization", n), NAME=name, ADDRESS=address, CITY=city, STATE="MA",
            ZIP=zip_code, LAT=f"{42.5 + n / 100:.4f}", LON="-71.5000", REVENUE="0.0", UTILIZATION=str(n),
        )  # fmt: skip
    for n, (name, sex, specialty, organization) in enumerate(PROVIDERS):
        extract.add(
            "providers", Id=new_id("provider", n), ORGANIZATION=new_id("organization", organization), NAME=name,
            GENDER=sex, SPECIALITY=specialty, STATE="MA", UTILIZATION=str(n),
        )  # fmt: skip
    for n, name in enumerate(PAYERS):
        extract.add("payers", Id=new_id("payer", n), NAME=name)


def add_visit(
    extract: Extract, number: int, patient: int, start: datetime, length: timedelta, visit_class: str
) -> tuple[str, str]:
    """One encounter; returns the ids of its patient and of itself."""
    person, visit, provider = new_id("patient", patient), new_id("visit", number), number % len(PROVIDERS)
    extract.add(
        "encounters", Id=visit, START=stamp(start), STOP=stamp(start + length), PATIENT=person,
        ORGANIZATION=new_id("organization", PROVIDERS[provider][3]), PROVIDER=new_id("provider", provider),
        PAYER=new_id("payer", 0), ENCOUNTERCLASS=visit_class, CODE="185345009", DESCRIPTION="Visit",
        BASE_ENCOUNTER_COST="75.00", TOTAL_CLAIM_COST="90.00", PAYER_COVERAGE="10.00",
    )  # fmt: skip
    return person, visit


def add_vital_signs(extract: Extract, number: int, person: str, visit: str, at: datetime) -> None:
    """Height, weight, pressure, pulse; glucose and sodium on every second visit."""
    signs = [
        ("vital-signs", "8302-2", "Height", f"{150 + number % 40}.5", "cm"),
        ("vital-signs", "29463-7", "Weight", f"{50 + number % 45}.0", "kg"),
        ("vital-signs", "8480-6", "Systolic", f"{110 + number % 30}", "mm[Hg]"),
        ("vital-signs", "8867-4", "심박수", f"{60 + number % 25}", "/min"),
    ]
    if number % 2 == 0:
        signs += [
            ("laboratory", "2339-0", "Glucose", f"{80 + number}.25", "mg/dL"),
            ("laboratory", "1742-6", "ALT", f"{20 + number}", "U/L"),
        ]
    for category, code, name, value, unit in signs:
        extract.add(
            "observations", DATE=stamp(at), PATIENT=person, ENCOUNTER=visit, CATEGORY=category, CODE=code,
            DESCRIPTION=name, VALUE=value, UNITS=unit, TYPE="numeric",
        )  # fmt: skip


def add_answers(extract: Extract, number: int, person: str, visit: str, at: datetime) -> None:
    """A questionnaire: one score, three answers in words, one of them an address, and a life year without a visit."""
    answers = [
        ("survey", "55758-7", "PHQ-2 total score", str(number % 7), "{score}", "numeric"),
        ("survey", "72166-2", "Tobacco smoking status", "담배를 피운 적이 없음", "", "text"),
        ("survey", "93027-1", "Are you a refugee?", "No" if number % 3 else "Yes", "", "text"),
        ("survey", "56799-0", "What address do you live at?", "두레길 12, 우리읍", "", "text"),
    ]
    for category, code, name, value, unit, kind in answers:
        extract.add(
            "observations", DATE=stamp(at), PATIENT=person, ENCOUNTER=visit, CATEGORY=category, CODE=code,
            DESCRIPTION=name, VALUE=value, UNITS=unit, TYPE=kind,
        )  # fmt: skip
    extract.add(
        "observations", DATE=stamp(at), PATIENT=person, CODE="QALY", DESCRIPTION="Quality-adjusted life years",
        VALUE=f"{number}.5", UNITS="a", TYPE="numeric",
    )  # fmt: skip


def add_care(extract: Extract, number: int, person: str, visit: str, start: datetime) -> None:
    """What happened in one visit: a diagnosis, a prescription or two, a procedure, a vaccination, observations."""
    code = CONDITIONS[number % len(CONDITIONS)]
    extract.add(
        "conditions", START=day(start), STOP=day(start + timedelta(days=10)) if number % 3 else "", PATIENT=person,
        ENCOUNTER=visit, CODE=code, DESCRIPTION=CONDITION_NAMES[code],
    )  # fmt: skip
    drug, name, cost = DRUGS[number % len(DRUGS)]
    prescription = {
        "START": stamp(start), "PATIENT": person, "PAYER": new_id("payer", 0), "ENCOUNTER": visit, "CODE": drug,
        "DESCRIPTION": name, "PAYER_COVERAGE": "0.00",
    }  # fmt: skip
    stop = stamp(start + timedelta(days=30 * (1 + number % 4))) if number % 5 else ""
    extract.add(
        "medications", **prescription, STOP=stop, BASE_COST=f"{cost:.2f}", DISPENSES="1", TOTALCOST=f"{cost:.2f}"
    )
    if number % 9 == 4:  # the same drug twice in one visit
        extract.add("medications", **prescription, STOP=stamp(start), BASE_COST="1.00", DISPENSES="2", TOTALCOST="2.00")
    if number % 3 == 0:
        act, title, minutes = PROCEDURES[(number // 3) % len(PROCEDURES)]
        extract.add(
            "procedures", START=stamp(start), STOP=stamp(start + timedelta(minutes=minutes)), PATIENT=person,
            ENCOUNTER=visit, CODE=act, DESCRIPTION=title, BASE_COST="40.00",
        )  # fmt: skip
    if number % 4 == 1:
        vaccine = "140" if number % 8 == 1 else "52"
        extract.add("immunizations", DATE=stamp(start), PATIENT=person, ENCOUNTER=visit, CODE=vaccine, BASE_COST="9.00")
    add_vital_signs(extract, number, person, visit, start)
    if number % 4 == 0:
        add_answers(extract, number, person, visit, start)


def add_life(extract: Extract) -> None:
    """Three or four visits for each patient over the years, one of them a stay over midnight."""
    number = 0
    for patient in range(len(PATIENTS)):
        for turn in range(3 + patient % 2):
            start = FIRST_DAY + timedelta(days=211 * turn + 31 * patient, hours=(patient * 5) % 24, minutes=30)
            stay = turn == 2 and patient % 2 == 0
            visit_class = "inpatient" if stay else VISIT_CLASSES[number % len(VISIT_CLASSES)]
            length = timedelta(days=3, hours=2) if stay else timedelta(minutes=15 + 5 * turn)
            person, visit = add_visit(extract, number, patient, start, length, visit_class)
            add_care(extract, number, person, visit, start)
            number += 1


def add_allergies(extract: Extract) -> None:
    """Two allergens, one with two reactions, and a drug that two patients do not tolerate."""
    rows = [
        (0, "84489001", "SNOMED-CT", "곰팡이", "allergy", "environment", "49727002", "76067001"),
        (3, "260147004", "SNOMED-CT", "House dust mite", "allergy", "environment", "", ""),
        (5, "1191", "RxNorm", "Aspirin", "allergy", "medication", "49727002", ""),
        (6, "1191", "RxNorm", "Aspirin", "intolerance", "medication", "", ""),
    ]
    visits = {row["PATIENT"]: row["Id"] for row in reversed(extract.rows["encounters"])}
    for patient, code, system, name, kind, category, first, second in rows:
        person = new_id("patient", patient)
        extract.add(
            "allergies", START="2019-09-20", PATIENT=person, ENCOUNTER=visits[person], CODE=code, SYSTEM=system,
            DESCRIPTION=name, TYPE=kind, CATEGORY=category, REACTION1=first, REACTION2=second,
        )  # fmt: skip


def add_things(extract: Extract) -> None:
    """A device with its number, supplies, a plan, and a study of two pictures."""
    first = extract.rows["encounters"][0]
    shared = {"PATIENT": first["PATIENT"], "ENCOUNTER": first["Id"]}
    name = "Implantable defibrillator"
    extract.add("devices", START=first["START"], CODE="72506001", DESCRIPTION=name, UDI="(01)0(21)7", **shared)
    extract.add("supplies", DATE="2019-01-07", CODE="705643001", DESCRIPTION="Stent", QUANTITY="2", **shared)
    extract.add(
        "careplans", Id=new_id("plan", 0), START="2019-01-07", CODE="384758001", DESCRIPTION="자가 관리", **shared
    )
    for picture in (1, 2):
        extract.add(
            "imaging_studies", Id=new_id("study", 0), DATE=first["START"], SERIES_UID="1.2.1",
            INSTANCE_UID=f"1.2.1.{picture}", MODALITY_CODE="DX", PROCEDURE_CODE="399208008", **shared,
        )  # fmt: skip


def add_insurance(extract: Extract) -> None:
    """Two spans of insurance for each patient, the second with another payer; the last patient has but one."""
    turn = datetime(2020, 7, 1, tzinfo=UTC)
    spans = [(datetime(2018, 1, 1, tzinfo=UTC), turn), (turn, datetime(2022, 12, 31, tzinfo=UTC))]
    for patient in range(len(PATIENTS)):
        for n, (start, end) in enumerate(spans if patient < len(PATIENTS) - 1 else spans[:1]):
            extract.add(
                "payer_transitions", PATIENT=new_id("patient", patient), MEMBERID=new_id("member", 2 * patient + n),
                START_YEAR=stamp(start), END_YEAR=stamp(end), PAYER=new_id("payer", (patient + n) % len(PAYERS)),
                OWNERSHIP="Self",
            )  # fmt: skip


def add_claims(extract: Extract) -> None:
    """One claim for each visit: its charge, what the patient paid at once, what the payer paid later."""
    for n, visit in enumerate(list(extract.rows["encounters"])):
        claim, shared = new_id("claim", n), {"PATIENTID": visit["PATIENT"], "APPOINTMENTID": visit["Id"]}
        kind = "2" if visit["ENCOUNTERCLASS"] == "inpatient" else "1"
        extract.add("claims", Id=claim, SERVICEDATE=visit["START"], HEALTHCARECLAIMTYPEID1=kind, **shared)
        moves = [("CHARGE", "90.00", "", ""), ("PAYMENT", "", "COPAY", "20.10"), ("PAYMENT", "", "ECHECK", "69.80")]
        for line, (move, amount, method, paid) in enumerate(moves):
            extract.add(
                "claims_transactions", ID=new_id("transaction", 10 * n + line), CLAIMID=claim, CHARGEID=str(line),
                TYPE=move, AMOUNT=amount, METHOD=method, PAYMENTS=paid, **shared,
            )  # fmt: skip


def add_dirt(extract: Extract) -> None:
    """The rows that `DIRT` counts; the patient without a birth date is in the register already."""
    number = 900
    start = LAST_DAY + timedelta(hours=8, minutes=59)
    add_visit(extract, number, 77, start, timedelta(minutes=15), "ambulatory")
    person, backwards = add_visit(extract, number + 1, 1, start, timedelta(days=-2), "ambulatory")
    add_visit(extract, number + 2, 1, start + timedelta(days=1), timedelta(minutes=15), "mystery")
    shared = {"PATIENT": person, "ENCOUNTER": backwards}
    name = CONDITION_NAMES["22298006"]
    extract.add("conditions", START="2021-02-30", CODE="22298006", DESCRIPTION=name, **shared)
    unknown = CONDITION_NAMES["999000111222"]
    for when in ("2022-03-01", "2022-03-02"):
        extract.add("conditions", START=when, CODE="999000111222", DESCRIPTION=unknown, **shared)
    lost = {"PATIENT": person, "ENCOUNTER": new_id("visit", 999)}
    extract.add("conditions", START="2022-03-01", CODE="74400008", DESCRIPTION="Appendicitis", **lost)
    extract.rows["immunizations"].append(dict(extract.rows["immunizations"][0]))
    code, drug, cost = DRUGS[0]
    extract.add(
        "medications", START=stamp(start), STOP=stamp(start - timedelta(days=5)), CODE=code, DESCRIPTION=drug,
        BASE_COST=f"{cost:.2f}", DISPENSES="1", TOTALCOST=f"{cost:.2f}", **shared,
    )  # fmt: skip
    for code, value, unit in (("2947-0", "판독불가", "mmol/L"), ("8480-6", "121", "척")):
        extract.add(
            "observations", DATE=stamp(start), CATEGORY="laboratory", CODE=code, DESCRIPTION="검사", VALUE=value,
            UNITS=unit, TYPE="numeric", **shared,
        )  # fmt: skip
    extract.add(
        "observations", DATE=stamp(start), CATEGORY="exam", CODE="72166-2", DESCRIPTION="Smoking", VALUE="Former, long ago",
        UNITS="null", TYPE="text", **shared,
    )  # fmt: skip
    extract.add("supplies", DATE="2022-03-01", CODE="999000111333", DESCRIPTION="두레 장갑", QUANTITY="24", **lost)
    extract.add(
        "payer_transitions", PATIENT=person, MEMBERID=new_id("member", 99), START_YEAR=stamp(start),
        END_YEAR=stamp(start - timedelta(days=365)), PAYER=new_id("payer", 0), OWNERSHIP="Self",
    )  # fmt: skip
    extract.add(
        "claims", Id=new_id("claim", 99), PATIENTID=person, APPOINTMENTID=lost["ENCOUNTER"],
        SERVICEDATE=stamp(start), HEALTHCARECLAIMTYPEID1="1",
    )  # fmt: skip


def main(out: Path) -> None:
    extract = Extract()
    add_register(extract)
    add_life(extract)
    add_allergies(extract)
    add_things(extract)
    add_insurance(extract)
    add_claims(extract)
    add_dirt(extract)
    extract.write(out)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "extract")
