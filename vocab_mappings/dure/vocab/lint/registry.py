"""The rules of lint: each with its words for the guide, an example that passes and one that does not."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeAlias

from dure.vocab.lint.finding import Found, Severity
from dure.vocab.lint.linted import LintedMap

Check: TypeAlias = Callable[[LintedMap], Iterable[Found]]


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule; `finds` and `because` are the guide's sentences, `passing` and `failing` are small map files.

    A rule with `vocabulary` runs only where a vocabulary store is given. `fix` says what `--fix` does, if anything.
    """

    name: str
    severity: Severity
    finds: str
    because: str
    passing: str
    failing: str
    fix: str
    vocabulary: bool
    check: Check


RULES: dict[str, Rule] = {}


def rule(
    severity: Severity,
    *,
    finds: str,
    because: str,
    passing: str,
    failing: str,
    fix: str = "",
    vocabulary: bool = False,
) -> Callable[[Check], Check]:
    """Registers a check under the name of its function."""

    def register(check: Check) -> Check:
        name = check.__name__
        RULES[name] = Rule(name, severity, finds, because, passing, failing, fix, vocabulary, check)
        return check

    return register
