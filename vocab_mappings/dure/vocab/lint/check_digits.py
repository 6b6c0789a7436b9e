"""Check digits: modulus 10 of LOINC, Verhoeff's of SNOMED CT."""

from __future__ import annotations


def _multiply(a: int, b: int) -> int:
    """The product in the dihedral group of order 10."""
    if a < 5:
        return (a + b) % 5 if b < 5 else (a + b) % 5 + 5
    return (a - b) % 5 + 5 if b < 5 else (a - b) % 5


# Verhoeff's permutation; each position applies it once more.
_STEP = (1, 5, 7, 6, 2, 8, 3, 0, 9, 4)


def check_digit_holds(vocabulary_id: str, code: str) -> bool:
    """Whether the last digit of a well-formed code of LOINC or SNOMED follows from the others."""
    if vocabulary_id == "LOINC":
        digits = [int(character) for character in code if character.isdigit()]
        return not code[0].isdigit() or _luhn(digits)
    total = 0
    for position, character in enumerate(reversed(code)):
        digit = int(character)
        for _ in range(position % 8):
            digit = _STEP[digit]
        total = _multiply(total, digit)
    return total == 0


def _luhn(digits: list[int]) -> bool:
    doubled = [sum(divmod(2 * digit, 10)) for digit in digits[-2::-2]]
    return (sum(doubled) + sum(digits[-1::-2])) % 10 == 0
