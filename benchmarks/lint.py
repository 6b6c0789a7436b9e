"""CPU seconds of `dure vocab lint` on a map of 10,000 rows, from the start of the process to its end.

    python benchmarks/lint.py [--rows 10000] [--repeat 5]

The rows are those of a hospital with a defect in one of ten: every rule that looks at pairs of rows has some to look at.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

_HEADER = (
    "source_vocabulary_id,source_code,code_type,specimen,unit,source_code_description,target_concept_id,"
    "target_concept_name,target_vocabulary_id,target_domain_id,mapping_type,equivalence,status,reviewer,"
    "valid_start_date,valid_end_date,invalid_reason,comment"
)
_ANALYTES = ("나트륨", "포도당", "칼슘", "크레아티닌", "총빌리루빈", "알부민", "요산", "헤모글로빈")
_SPECIMENS = ("혈청", "혈장", "소변", "전혈", "")


def rows(count: int, seed: int) -> Iterator[str]:
    """The lines of a map without its header."""
    pick = random.Random(seed)
    for number in range(count):
        code = f"D{number // 60 % 10000:04d}{number % 60:02d}0"
        target = f"{3000000 + number // 3}"
        vocabulary, start, flag, status = "EDI", "1970-01-01", "", "approved"
        match pick.randrange(60):
            case 0:
                target += ".0"
            case 1:
                vocabulary = "Korean EDI"
            case 2:
                code += " "
            case 3:
                start = "NA"
            case 4:
                flag = "NA"
            case 5:
                status = "unchecked"
        analyte, specimen = pick.choice(_ANALYTES), pick.choice(_SPECIMENS)
        description = f'"{analyte} [Mass/volume] in Serum; {analyte}-[정밀면역검사](정량)_{number}, {specimen}"'
        yield (
            f"{vocabulary},{code},1,{specimen},mg/dL,{description},{target},Analyte {target},LOINC,Measurement,Maps to,"
            f"equal,{status},김검토,{start},2099-12-31,{flag},"
        )


def measured(command: list[str]) -> tuple[float, float, float]:
    """CPU seconds, wall seconds and peak megabytes of a command that finds something; it is one process."""
    began = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 1:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}, expected 1: findings")
    return usage.ru_utime + usage.ru_stime, time.monotonic() - began, usage.ru_maxrss / 1000


def main() -> None:
    parser = argparse.ArgumentParser(description="Measures dure vocab lint.")
    parser.add_argument("--rows", type=int, default=10_000, help="rows of the map, default 10000")
    parser.add_argument("--repeat", type=int, default=5, help="repetitions, default 5")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="dure-bench-lint-") as folder:
        path = Path(folder) / "map.csv"
        path.write_text("\n".join([_HEADER, *rows(given.rows, 7)]) + "\n", "utf-8")
        command = [sys.executable, "-m", "dure.cli", "vocab", "lint", str(path), "--format", "json"]
        used = [measured(command) for _ in range(given.repeat)]
    cpu, wall, peak = (statistics.median(each) for each in zip(*used, strict=True))
    print(f"{given.rows:,} rows: {cpu:.2f} s CPU, {wall:.2f} s wall, {peak:.0f} MB (medians of {given.repeat})")


if __name__ == "__main__":
    main()
