"""Results as JUnit XML, which build servers read: a suite a table, a case a check."""

from __future__ import annotations

from xml.etree import ElementTree as ET

from dure.quality.evidence.record import Checking
from dure.quality.results import Result, Status

FILE = "junit.xml"


def junit(checking: Checking) -> bytes:
    """The file `junit.xml`. What is not applicable is skipped; a failure that the gate lets pass is a failure here."""
    root = ET.Element("testsuites", name=f"{checking.manifest.site} {checking.manifest.snapshot}")
    tables: dict[str, list[Result]] = {}
    for result in checking.results:
        tables.setdefault(result.check.table, []).append(result)
    for table, results in tables.items():
        suite = ET.SubElement(
            root,
            "testsuite",
            name=table,
            tests=str(len(results)),
            failures=str(_of(results, Status.FAILED)),
            errors=str(_of(results, Status.ERROR)),
            skipped=str(_of(results, Status.NOT_APPLICABLE)),
        )
        for result in results:
            _case(suite, result)
    ET.indent(root)
    written: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return written


def _case(suite: ET.Element, result: Result) -> None:
    case = ET.SubElement(suite, "testcase", classname=result.check.table, name=result.check.id)
    match result.status:
        case Status.FAILED:
            found = f"{result.violated} of {result.denominator}, threshold {result.check.threshold:g} %"
            ET.SubElement(case, "failure", type=result.check.type.severity.value, message=found)
        case Status.ERROR:
            ET.SubElement(case, "error", message=result.reason)
        case Status.NOT_APPLICABLE:
            ET.SubElement(case, "skipped", message=result.reason)


def _of(results: list[Result], status: Status) -> int:
    return sum(result.status is status for result in results)
