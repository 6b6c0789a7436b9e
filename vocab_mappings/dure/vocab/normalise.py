"""How a hospital's spelling of a code meets the vocabulary's: KCD diagnoses and EDI billing codes of Korea.

Two things are kept apart. The *form* only removes spelling (dot, case, width), so nothing is lost by it. The *steps*
go from the code as it is to the code that the vocabulary has for it: a local suffix letter, a modifier.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass

_KCD = re.compile(r"([A-Z][0-9]{2}[0-9]{0,3})[A-Z]*")
_PROCEDURE_WITH_SUFFIX = re.compile(r"([A-Z][0-9]{4}|[A-Z]{2}[0-9]{3})[0-9A-Z]{3}")
_LETTER_AND_SEVEN_DIGITS = re.compile(r"[A-Z][0-9]{7}")
_DRUG_WITHOUT_ZEROS = re.compile(r"[0-9]{5,8}")
_PARENT_OF = re.compile(r"[A-Z][0-9]{2}[0-9A-Z]+")
_SHORTEST_PARENT = 3

# HIRA's code types whose codes have no modifiers: an insured drug, a material.
_DRUG, _MATERIAL = "3", "8"


@dataclass(frozen=True)
class Normaliser:
    """How codes of one system are compared.

    `form` is equal for two spellings of one code; `steps` are the codes to look for, the closest first, given the code
    and its code type; `spellings` are the ways in which a vocabulary may write a step.
    """

    form: Callable[[str], str]
    steps: Callable[[str, str], tuple[str, ...]]
    spellings: Callable[[str], tuple[str, ...]]


def normaliser(name: str | None, vocabulary_id: str) -> Normaliser:
    """The normaliser a spec names; where it names none, the one that Athena's KCD7 and EDI always need."""
    return _NORMALISERS[name or _BY_VOCABULARY.get(vocabulary_id, "none")]


def parents(form: str) -> tuple[str, ...]:
    """The wider codes of a hierarchical diagnosis code, the nearest first, down to three characters."""
    if not _PARENT_OF.fullmatch(form):
        return ()
    return tuple(form[:length] for length in range(len(form) - 1, _SHORTEST_PARENT - 1, -1))


def dotless(code: str) -> str:
    """A code's form: compatibility characters folded, upper case, no dot, no white space."""
    return _plain(code).replace(".", "")


def _plain(code: str) -> str:
    return "".join(unicodedata.normalize("NFKC", code).split()).upper()


def _unchanged(code: str) -> str:
    return code


def _kcd_steps(code: str, _: str) -> tuple[str, ...]:
    form = dotless(code)
    match = _KCD.fullmatch(form)
    return _distinct(form, match[1]) if match else (form,)


def _kcd_spellings(form: str) -> tuple[str, ...]:
    return _distinct(f"{form[:3]}.{form[3:]}", form) if len(form) > _SHORTEST_PARENT else (form,)


def _edi_steps(code: str, code_type: str) -> tuple[str, ...]:
    form = _plain(code)
    if code_type == _MATERIAL:
        return (form,)
    if _DRUG_WITHOUT_ZEROS.fullmatch(form):
        return form, form.zfill(9)
    if code_type == _DRUG:
        return (form,)
    if _LETTER_AND_SEVEN_DIGITS.fullmatch(form):
        # Digits 6 and 7 name the analyte: without one the first five characters are the code; the last is a modifier.
        return _distinct(form, form[:5] if form[5:7] == "00" else f"{form[:7]}0")
    match = _PROCEDURE_WITH_SUFFIX.fullmatch(form)
    return _distinct(form, match[1]) if match else (form,)


def _as_is(form: str) -> tuple[str, ...]:
    return (form,)


def _one_step(code: str, _: str) -> tuple[str, ...]:
    return (code,)


def _distinct(*codes: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(codes))


_NORMALISERS = {
    "none": Normaliser(_unchanged, _one_step, _as_is),
    "kcd": Normaliser(dotless, _kcd_steps, _kcd_spellings),
    "edi": Normaliser(_plain, _edi_steps, _as_is),
}
_BY_VOCABULARY = {"KCD7": "kcd", "EDI": "edi"}
