"""Great Expectations' Data Docs of a checking: its suites and results as pages that ask no network for anything.

Its own pages take style sheets and scripts from hosts of others, and its results quote values that were not expected,
which can be those of patients. So results are reduced to their counts before the pages are built, and what refers to
another host is taken out afterwards; a policy in each page forbids the rest.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from great_expectations.core.expectation_validation_result import ExpectationSuiteValidationResult
from great_expectations.data_context.data_context.abstract_data_context import AbstractDataContext
from great_expectations.data_context.store.store import DataDocsSiteConfigTypedDict
from great_expectations.data_context.types.resource_identifiers import ValidationResultIdentifier

from dure.errors import ConfigurationError, Problem
from dure.snapshot.durable import lake_access, make_folder

_SITE = "dure"
_INDEX, _FOLDERS = "index.html", ("expectations", "validations", "static")
_POLICY = (
    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline' 'self' file:; "
    "img-src 'self' file: data:; font-src 'self' file:; base-uri 'none'; form-action 'none'\">"
)
_PAGE = Path(__file__).with_name("data_docs.html")
_STYLE = Path(__file__).with_name("data_docs.css")
_OUTSIDE = (
    re.compile(r"<(script|footer|style)\b.*?</\1>", re.DOTALL | re.IGNORECASE),
    re.compile(r"""\son[a-z]+=(?:"[^"]*"|'[^']*')""", re.IGNORECASE),
    re.compile(r"<link\b[^>]*\brel=[\"']?(?:shortcut )?icon[^>]*>", re.IGNORECASE),
    re.compile(r"<link\b[^>]*\bhref=[\"']?(?:https?:)?//[^>]*>", re.IGNORECASE),
    re.compile(r"<(?:img|iframe)\b[^>]*\bsrc=[\"']?(?:https?:)?//[^>]*>", re.IGNORECASE),
)
# What of a result is a count or a share, never a value of a row.
_COUNTS = frozenset(
    {
        "element_count",
        "missing_count",
        "missing_percent",
        "unexpected_count",
        "unexpected_percent",
        "unexpected_percent_nonmissing",
        "unexpected_percent_total",
    }
)
_STOPPED = "the expectation could not be computed; the log of the checking says more"


class _DocsSite(DataDocsSiteConfigTypedDict):
    """A site of Data Docs with the key of its builder that Great Expectations' own type leaves out."""

    show_how_to_buttons: bool


def build_data_docs(context: AbstractDataContext, folder: Path) -> None:
    """Writes the pages of everything that the context validated into `folder`, in place of those there."""
    check_docs_folder(folder)
    _emptied(folder)
    store = context.validation_results_store
    results: dict[str, ExpectationSuiteValidationResult] = {}
    for key in store.list_keys():
        result = store.get(key)
        assert isinstance(key, ValidationResultIdentifier) and isinstance(result, ExpectationSuiteValidationResult)
        results[key.expectation_suite_identifier.name] = reduced = _counts_only(result)
        store.set(key, reduced)
    site: _DocsSite = {
        "class_name": "SiteBuilder",
        "show_how_to_buttons": False,
        "store_backend": {"class_name": "TupleFilesystemStoreBackend", "base_directory": str(folder)},
        "site_index_builder": {"class_name": "DefaultSiteIndexBuilder"},
    }
    context.add_data_docs_site(_SITE, site)
    with lake_access(folder):
        context.build_data_docs(site_names=[_SITE])
        _index(folder, results)
        _enclosed(folder)


def check_docs_folder(folder: Path) -> None:
    """Raises ConfigurationError where the folder holds something else than Data Docs, which would be mixed up."""
    with lake_access(folder):
        there = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
        if there - {_INDEX, *_FOLDERS} or (folder.exists() and not folder.is_dir()):
            raise ConfigurationError(
                Problem(f"--data-docs {folder}", "holds other files than Data Docs", "name a new or an empty folder")
            )


def _emptied(folder: Path) -> None:
    with lake_access(folder):
        for name in _FOLDERS:
            shutil.rmtree(folder / name, ignore_errors=True)
        (folder / _INDEX).unlink(missing_ok=True)
        make_folder(folder.absolute())


def _counts_only(result: ExpectationSuiteValidationResult) -> ExpectationSuiteValidationResult:
    for item in result.results:
        item.result = _reduced(item.result or {})
        raised = _raised(item.exception_info or {})
        item.exception_info = {
            "raised_exception": raised,
            "exception_message": _STOPPED if raised else "",
            "exception_traceback": "",
        }
    return result


def _reduced(result: Mapping[str, Any]) -> dict[str, Any]:
    """The counts of a result; of what was observed only the two counts of our own checks."""
    kept = {name: value for name, value in result.items() if name in _COUNTS}
    if "unexpected_percent" not in kept:
        kept.pop("unexpected_count", None)  # the pages cannot show one without the other
    observed = result.get("observed_value")
    if isinstance(observed, list | tuple) and len(observed) == 2 and all(type(each) is int for each in observed):
        kept["observed_value"] = f"{observed[0]:,} of {observed[1]:,}"
    return kept


def _raised(info: Mapping[str, Any]) -> bool:
    """True where the expectation, or one of the metrics that it needs, stopped."""
    each = [value for value in info.values() if isinstance(value, Mapping)]
    return bool(info.get("raised_exception")) or any(value.get("raised_exception") for value in each)


def _index(folder: Path, results: Mapping[str, ExpectationSuiteValidationResult]) -> None:
    """Writes the first page: that of Great Expectations is drawn by scripts of other hosts."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    tables = [
        {
            "table": table,
            "expectations": len(result.results),
            "unmet": sum(not item.success for item in result.results),
            "suite": f"expectations/{table}.html",
            "results": next((str(p.relative_to(folder)) for p in folder.glob(f"validations/{table}/**/*.html")), ""),
        }
        for table, result in sorted(results.items())
    ]
    environment = Environment(loader=FileSystemLoader(_PAGE.parent), autoescape=True, undefined=StrictUndefined)
    (folder / _INDEX).write_text(environment.get_template(_PAGE.name).render(tables=tables), "utf-8")


def _enclosed(folder: Path) -> None:
    """Takes every reference to another host out of the pages, and pictures that no page shows out of the folder."""
    style = f"<style>{_STYLE.read_text('utf-8')}</style>"
    texts = []
    for page in folder.rglob("*.html"):
        text = page.read_text("utf-8")
        for outside in _OUTSIDE:
            text = outside.sub("", text)
        text = re.sub(r"<head>", lambda _: f'<head><meta charset="utf-8">{_POLICY}', text, count=1)
        text = text.replace("</head>", f"{style}</head>", 1)
        page.write_text(text, "utf-8")
        texts.append(text)
    for picture in (folder / "static" / "images").glob("*"):
        if not any(picture.name in text for text in texts):
            picture.unlink()
