"""새벽병원, an invented hospital whose extract has what the shipped examples have not: written as its systems export it.

`python saebyeok_extract.py FOLDER` writes the files; they are the same on each call.
"""

from __future__ import annotations

import codecs
import sys
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

# kind of record, patient number, name, birth, sex, postcode, date of death
PATIENTS = [
    ("1", "00000101", "김새벽", "19550312", "1", "04524", "00000000"),
    ("1", "00000102", "이아침", "19880704", "2", "04525", "00000000"),
    ("1", "00000102", "이아침", "19880704", "2", "04525", "00000000"),  # the same record twice
    ("1", "00000103", "황보노을", "19721130", "2", "04526", "00000000"),
    ("1", "00000104", "최한별", "20010215", "1", "04527", "00000000"),
    ("1", "00000105", "정다온", "19480909", "1", "04528", "20240612"),
    ("1", "00000106", "강누리", "00000000", "2", "04529", "00000000"),  # nobody knows when she was born
]
PATIENT_WIDTHS = (1, 8, 12, 8, 1, 5, 8)

# number of the reception, patient, department, time, cancelled, remark; a quote is a character like any other here
OUTPATIENTS = {
    "2401": [
        ("1", "101", "IM", "2024.01.10 09:30", "N", '"재진'),
        ("2", "102", "GS", "2024.01.15 10:00", "N", ""),
        ("3", "103", "IM", "2024.01.20 11:00", "Y", "전화로 취소"),
    ],
    "2402": [],  # closed for rebuilding: the file has no byte
    "2403": [
        ("4", "101", "IM", "2024.03.05 14:30", "N", ""),
        ("5", "999", "IM", "2024.03.06 08:00", "N", "환자기본에 없는 환자"),
    ],
}

INPATIENTS = """\
입원번호,등록번호,입원일시,퇴원일시,병동
1,00000101,2024.03.05 16:00,2024.03.12 11:00,31W
2,00000105,2024.06.01 09:00,2024.06.12 03:20,ICU
3,00000104,2024.06.28 20:00,0000.00.00 00:00,51W
"""

EMERGENCIES = [
    '"응급번호","등록번호","도착일시","퇴실일시","결과"\n"1","00000101","2024.03.05 15:00","2024.03.05 15:40","입원"\n',
    '"응급번호","등록번호","도착일시","퇴실일시","결과"\n"2","00000103","2024.02.11 02:10","2024.02.11 05:00","귀가"\n',
]

# In January the files of two wards were joined, header and all; the report adds a total.
DIAGNOSES_JANUARY = """\
내원구분,내원번호,등록번호,순번,대분류,세분류,진단명,진단일
외래,1,00000101,1,I10,,본태성(원발성) 고혈압,2024.01.10
외래,1,00000101,2,E11,9,"2형 당뇨병,
합병증을 동반하지 않은",2024.01.10
내원구분,내원번호,등록번호,순번,대분류,세분류,진단명,진단일
외래,2,00000102,1,R51,,두통,2024.01.15
합계,,,,,,3,
"""
# In March the export has learnt which diagnosis is the principal one.
DIAGNOSES_MARCH = """\
내원구분,내원번호,등록번호,순번,대분류,세분류,진단명,진단일,주부진단
외래,4,00000101,1,I10,,본태성(원발성) 고혈압,2024.03.05,주
외래,4,00000101,2,Q99,9,원내에만 있는 진단,2024.03.05,부
응급,1,00000101,1,R06,0,호흡곤란,2024.03.05,
입원,1,00000101,1,E11,2,신장합병증을 동반한 2형 당뇨병,2024.03.05,주
입원,2,00000105,1,I21,9,상세불명의 급성 심근경색증,2024.06.01,주
외래,5,00000999,1,I10,,본태성(원발성) 고혈압,2024.03.06,주
총 6건
"""

# number, patient, kind and number of the visit, drug, time, days, amount, discontinued
PRESCRIPTIONS = [
    (1001, 101, "외래", 4, "AML5", datetime.fromisoformat("2024-03-05 14:35"), 30, Decimal("30.00"), False),
    (1002, 101, "외래", 4, "ASA1", datetime.fromisoformat("2024-03-05 14:35"), 30, Decimal("30.00"), True),
    (1003, 102, "외래", 2, "AAP325", datetime.fromisoformat("2024-01-15 10:05"), 3, Decimal("9.00"), False),
    (1004, 105, "입원", 2, "새벽수액", datetime.fromisoformat("2024-06-01 09:30"), None, Decimal("1.50"), False),
]

RESULTS = {
    "2024-01": """\
검체번호|내원구분|내원번호|등록번호|채취일시|혈당|크레아티닌|CRP|요단백|보고완료
S2|외래|2|00000102|2024.01.15 10:20|98|||음성(-)|Y
""",
    "2024-03": """\
검체번호|내원구분|내원번호|등록번호|채취일시|혈당|크레아티닌|CRP|요단백|보고완료
S1|외래|4|00000101|2024.03.05 14:50|1,234|1.1|<0.05|2+|Y
S3|입원|2|00000105|2024.06.01 10:00|>= 600|2.30||| Y
S4|입원|2|00000105|2024.06.02 06:00|150||||N
S5|외래|4|00000101|2024.03.05 14:50|||||Y
""",
}

# patient, time, test, result, kind and number of the visit, written in places that count characters
BEDSIDE = [
    ("00000101", "202403051500", "간이혈당", "148", "응급", "000001"),
    ("00000104", "202406282030", "당화혈색소", "6.1", "입원", "000003"),
]
BEDSIDE_WIDTHS = (8, 12, 6, 6, 2, 6)

PAYMENTS = """\
수납번호,내원구분,내원번호,총진료비,본인부담금
R1,외래,1,"12,500","3,700"
R2,입원,1,"1,284,000","256,800"
합계,,,"1,296,500","260,500"
"""


def write_extract(folder: Path) -> None:
    """The extract of 2024-06-30 below `folder`."""
    _write(folder / "환자/환자기본.dat", _patients())
    for month, rows in OUTPATIENTS.items():
        text = "".join("\t".join(row) + "\n" for row in rows)
        _write(folder / f"외래/접수_{month}.tsv", text.encode())
    _write(folder / "입원/입원.csv", INPATIENTS.replace("\n", "\r\n").encode("euc-kr"))
    # Two files with a byte order mark each, joined: the second mark now stands before a name in the middle.
    _write(folder / "응급/응급.csv", b"".join(codecs.BOM_UTF8 + part.encode() for part in EMERGENCIES))
    _write(folder / "진단/진단_2024-01.csv", DIAGNOSES_JANUARY.encode("euc-kr"))
    _write(folder / "진단/진단_2024-03.csv", DIAGNOSES_MARCH.encode("euc-kr"))
    for month, text in RESULTS.items():
        _write(folder / f"검사/검사결과_{month}.txt", text.encode())
    bedside = ("".join(t.ljust(n) for t, n in zip(row, BEDSIDE_WIDTHS, strict=True)) for row in BEDSIDE)
    _write(folder / "검사/현장검사.dat", ("\n".join(bedside) + "\n").encode())
    _write(folder / "수납/수납.csv", PAYMENTS.encode())
    _prescriptions(folder / "처방/처방.parquet")


def _patients() -> bytes:
    """Places count bytes of EUC-KR, in which a syllable takes two; a line above and a count below."""
    lines = [
        b"".join(text.encode("euc-kr").ljust(width) for text, width in zip(row, PATIENT_WIDTHS, strict=True))
        for row in PATIENTS
    ]
    return b"\r\n".join(["H새벽병원 환자기본 20240630".encode("euc-kr"), *lines, b"T00000007", b""])


def _prescriptions(path: Path) -> None:
    types = {
        "처방번호": pa.int64(),
        "환자번호": pa.int64(),
        "내원구분": pa.string(),
        "내원번호": pa.int64(),
        "약품코드": pa.string(),
        "처방일시": pa.timestamp("us"),
        "일수": pa.int32(),
        "총량": pa.decimal128(8, 2),
        "중단": pa.bool_(),
    }
    columns = zip(*PRESCRIPTIONS, strict=True)
    arrays = [pa.array(column, kind) for column, kind in zip(columns, types.values(), strict=True)]
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(dict(zip(types, arrays, strict=True))), path)


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


if __name__ == "__main__":
    write_extract(Path(sys.argv[1]))
