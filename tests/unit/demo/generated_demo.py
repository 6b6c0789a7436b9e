"""A small generated demonstration, made once for each test process, as data frames."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq

from dure.demo.generate.generate import Made, generate
from dure.progress import SilentProgress

PATIENTS, SEED = 500, 7
_FOLDER = tempfile.TemporaryDirectory(prefix="dure-generated-")
KEYS = {
    "haneul": {
        "patients.csv": ["patient_id"],
        "encounters.csv": ["encounter_id"],
        "diagnoses.csv": ["diagnosis_id"],
        "medication_orders.csv": ["order_id"],
        "lab_results.csv": ["result_id"],
        "procedures.csv": ["procedure_id"],
        "vitals.csv": ["vital_id"],
        "notes.csv": ["note_id"],
        "lifelog.csv": ["patient_id", "date"],
    },
    "bada": {
        "환자.csv": ["환자번호"],
        "내원.csv": ["내원번호"],
        "병동이동.csv": ["내원번호", "이동순번"],
        "진단.csv": ["내원번호", "진단순번"],
        "처방.csv": ["처방번호"],
        "검사결과.csv": ["검체번호", "검사코드"],
        "활력징후.csv": ["기록번호"],
        "서식.csv": ["서식번호"],
        "의사.csv": ["의사번호"],
        "진료과.csv": ["진료과코드"],
        "원내코드표.csv": ["원내코드", "시작일자"],
    },
    "gangsan": {
        "NHIS_JK_2016_2023.csv": ["PERSON_ID", "STND_Y"],
        "NHIS_T20_2016_2023.csv": ["KEY_SEQ"],
        "NHIS_T30_2016_2023.csv": ["KEY_SEQ", "SEQ_NO"],
        "NHIS_T40_2016_2023.csv": ["KEY_SEQ", "SEQ_NO"],
        "NHIS_T60_2016_2023.csv": ["KEY_SEQ", "SEQ_NO"],
        "NHIS_GJ_2016_2023.csv": ["PERSON_ID", "HCHK_YEAR"],
        "NHIS_YK_2016_2023.csv": ["YKIHO_ID", "STND_Y"],
    },
}
ENCODINGS = {"haneul": "utf-8", "bada": "cp949", "gangsan": "cp949"}


def written(folder: Path, patients: int = PATIENTS, seed: int = SEED) -> Made:
    return generate(patients, seed, folder, SilentProgress())


@cache
def folder() -> Path:
    made = Path(_FOLDER.name) / "made"
    written(made)
    return made


@cache
def extract(hospital: str, file: str) -> pd.DataFrame:
    """The rows of a file as text; an empty cell is empty text."""
    path = folder() / hospital / file
    return pd.read_csv(path, dtype=str, keep_default_na=False, encoding=ENCODINGS[hospital])


@cache
def truth(name: str) -> pd.DataFrame:
    return pq.read_table(folder() / "truth" / f"{name}.parquet").to_pandas()
