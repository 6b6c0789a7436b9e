"""The files of the three hospitals: encodings, line ends, headers, keys, and how a value looks in each."""

from __future__ import annotations

import re
from itertools import chain

import pandas as pd
import pytest
from generated_demo import ENCODINGS, KEYS, PATIENTS, SEED, extract, folder, truth

from dure.demo.generate.catalogue import facts, read

FILES = [(hospital, file) for hospital, files in KEYS.items() for file in files]
HEADERS = {
    "patients.csv": "patient_id,birth_date,sex,region,death_date",
    "encounters.csv": "encounter_id,patient_id,visit_type,department,start_at,end_at",
    "lab_results.csv": "result_id,encounter_id,patient_id,collected_at,local_code,test_name,specimen,result,unit,"
    "reference_range,edi_code",
    "환자.csv": "환자번호,환자명,성별,생년월일,주민번호앞7자리,우편번호,사망일자,갱신일시",
    "내원.csv": "내원번호,환자번호,내원구분,내원일자,내원시각,퇴원일자,퇴원시각,진료과코드,담당의사번호,내원경로,퇴원형태",
    "검사결과.csv": "검체번호,검사코드,내원번호,환자번호,접수일시,검체코드,검사결과,결과단위,참고치",
    "원내코드표.csv": "원내코드,원내명칭,보험코드,코드구분,시작일자,종료일자",
    "NHIS_T60_2016_2023.csv": "KEY_SEQ,SEQ_NO,RECU_FR_DT,DIV_TYPE_CD,DIV_CD,DD_MQTY_FREQ,DD_EXEC_FREQ,MDCN_EXEC_FREQ,"
    "UN_COST,AMT",
}


@pytest.mark.parametrize(("hospital", "file"), FILES)
def test_encoding_line_ends_and_header(hospital: str, file: str) -> None:
    content = (folder() / hospital / file).read_bytes()
    lines = content.decode(ENCODINGS[hospital]).split("\n")
    assert not content.startswith(b"\xef\xbb\xbf")
    assert lines.pop() == ""
    assert all(line.endswith("\r") == (hospital == "bada") for line in lines)
    assert file not in HEADERS or lines[0].rstrip("\r") == HEADERS[file]
    assert list(extract(hospital, file).columns) == lines[0].rstrip("\r").split(",")


@pytest.mark.parametrize(("hospital", "file"), FILES)
def test_a_key_names_one_record_and_only_whole_rows_come_twice(hospital: str, file: str) -> None:
    found = extract(hospital, file)
    once = found.drop_duplicates()
    key = KEYS[hospital][file]
    again = ["갱신일시"] if file == "환자.csv" else []
    assert not once.duplicated([*key, *again]).any()
    assert not (once[key] == "").any().any()


def test_the_folder_says_what_it_holds() -> None:
    about = pd.read_json(folder() / "demo.json", typ="series")
    assert (about["patients"], about["seed"], about["as_of"]) == (PATIENTS, SEED, "2023-12-31")
    for hospital, files in about["files"].items():
        for file, count in files.items():
            assert len(extract(hospital, file)) == count
    for name, count in about["truth"].items():
        assert len(truth(name)) == count


def test_every_row_names_a_patient_and_a_visit_but_for_the_orphans() -> None:
    patients, visits = set(extract("haneul", "patients.csv")["patient_id"]), extract("haneul", "encounters.csv")
    for file in ("medication_orders.csv", "lab_results.csv", "procedures.csv", "vitals.csv", "notes.csv"):
        found = extract("haneul", file)
        assert set(found["patient_id"]) <= patients
        assert set(found["encounter_id"]) <= set(visits["encounter_id"])
    planted = truth("dirt").query("hospital == 'haneul' and kind in ['orphan_visit', 'orphan_person']")
    found = extract("haneul", "diagnoses.csv")
    lost = ~found["patient_id"].isin(patients) | ~found["encounter_id"].isin(visits["encounter_id"])
    assert set(found["diagnosis_id"][lost]) == set(planted["key"])


def test_korean_results_in_the_words_of_bada() -> None:
    found = extract("bada", "검사결과.csv")["검사결과"]
    shapes = re.compile(r"[0-9]+(\.[0-9]+)?|<[0-9.]+|1:[0-9]+|양성|음성\(-\)|\(-\)|\+-|[123]\+|판독불가")
    assert found.map(lambda text: shapes.fullmatch(text) is not None).all()
    seen = set(found)
    assert {"<0.05", "양성", "음성(-)", "판독불가"} <= seen
    seen |= set(extract("haneul", "lab_results.csv")["result"])
    assert any(text.startswith("1:") for text in seen)
    assert any(text.endswith("+") for text in seen)
    assert {"㎎/㎗", "10³/㎕", "%"} <= set(extract("bada", "검사결과.csv")["결과단위"])
    assert set(extract("bada", "내원.csv")["내원구분"]) == {"외래", "입원", "응급"}
    assert set(extract("bada", "환자.csv")["성별"]) == {"남", "여"}


def test_the_seven_digits_agree_with_birth_and_sex() -> None:
    found = extract("bada", "환자.csv").query("생년월일 != ''")
    front = found["주민번호앞7자리"]
    assert (front.str[:6] == found["생년월일"].str[2:]).all()
    man, late = found["성별"] == "남", found["생년월일"] >= "2000"
    assert (front.str[6].astype(int) == 2 - man.astype(int) + 2 * late.astype(int)).all()
    assert 0 < len(found) < len(extract("bada", "환자.csv"))


def test_the_code_table_gives_each_local_code_one_insurance_code_at_a_time() -> None:
    table = extract("bada", "원내코드표.csv").sort_values(["원내코드", "시작일자"])
    assert (table["시작일자"] < table["종료일자"]).all()
    again = table["원내코드"] == table["원내코드"].shift()
    assert (table["시작일자"] > table["종료일자"].shift())[again].all()
    assert again.sum() == 1
    known = set(table["원내코드"])
    for file, column in (("처방.csv", "처방코드"), ("검사결과.csv", "검사코드")):
        assert set(extract("bada", file)[column]) - known == {"ZZ999"}


def test_codes_have_the_shapes_that_korean_codes_have() -> None:
    kcd = extract("haneul", "diagnoses.csv")["kcd_code"]
    assert kcd.str.fullmatch(r"[A-Z][0-9A-Z][0-9](\.[0-9]{1,3})?|ZZ9\.9").all()
    assert extract("gangsan", "NHIS_T40_2016_2023.csv")["SICK_SYM"].str.fullmatch(r"[A-Z][0-9]{2,5}|ZZ99").all()
    drugs = extract("haneul", "medication_orders.csv")
    assert drugs["edi_code"].str.fullmatch(r"([0-9]{9})?").all()
    assert drugs["ingredient_code"].str.fullmatch(r"([0-9]{6}[A-Z]{3})?").all()
    lines = extract("gangsan", "NHIS_T30_2016_2023.csv")
    shapes = {"1": r"[A-Z][0-9]{4}|[A-Z]{2}[0-9]{3}", "3": r"[0-9]{9}", "8": r"[A-Z][0-9]{7}"}
    for kind, shape in shapes.items():
        assert lines[lines["DIV_TYPE_CD"] == kind]["DIV_CD"].str.fullmatch(shape).all()


def test_claims_of_stays_count_their_days() -> None:
    claims = extract("gangsan", "NHIS_T20_2016_2023.csv")
    visits = truth("visits").query("hospital == 'gangsan'").set_index("visit_source_value").loc[claims["KEY_SEQ"]]
    days = (pd.to_datetime(visits["end_date"]) - pd.to_datetime(visits["start_date"])).dt.days + 1
    stays = visits["visit_concept_id"].isin([9201, 262]).to_numpy()
    assert (claims["VSCN"].astype(int).to_numpy() == days.where(stays, 1).to_numpy()).all()
    assert (claims["FORM_CD"].isin(["02", "2"]).to_numpy() == stays).all()
    assert {"2", "3", "02", "03"} == set(claims["FORM_CD"])
    by_emergency = visits["visit_concept_id"].isin([9203, 262]).to_numpy()
    assert ((claims["IN_PAT_CORS_TYPE"] == "11").to_numpy() == by_emergency).all()


def test_a_person_of_the_claims_has_a_row_a_year_until_death() -> None:
    years = extract("gangsan", "NHIS_JK_2016_2023.csv")
    persons = truth("persons").query("hospital == 'gangsan'").set_index("person_source_value")
    last = years.groupby("PERSON_ID")["STND_Y"].max().astype(int)
    died = pd.to_datetime(persons["death_date"])
    assert (last == died.dt.year.fillna(2023).astype(int).loc[last.index]).all()
    told = years[years["DTH_YM"] != ""].set_index("PERSON_ID")["DTH_YM"]
    assert (told == died.loc[told.index].dt.strftime("%Y%m")).all()
    assert len(told) == died.notna().sum() > 0
    age = years["STND_Y"].astype(int) - persons["year_of_birth"].loc[years["PERSON_ID"]].to_numpy()
    group = age.map(lambda years_old: 0 if years_old == 0 else min(years_old // 5 + 1, 18))
    assert (years["AGE_GROUP"].astype(int) == group).all()


def test_no_two_facts_share_a_code_in_a_file_of_a_hospital() -> None:
    for hospital in KEYS:
        rows = [(row["file"], row["code"]) for row in read(hospital)]
        assert len(rows) == len(set(rows))
        assert {row["fact"] for row in read(hospital)} <= set(facts().names)
    cells = chain.from_iterable(row.values() for row in (*read("bada"), *read("gangsan")))
    assert all(cell.encode("cp949").decode("cp949") == cell for cell in cells)
