"""Lint of mapping files: rules as data and small checks, the findings, and the repairs that are certain."""

from dure.vocab.lint.finding import SEVERITIES, Edit, Finding
from dure.vocab.lint.registry import RULES, Rule
from dure.vocab.lint.run import by_rule, concepts_of, lint

__all__ = ["RULES", "SEVERITIES", "Edit", "Finding", "Rule", "by_rule", "concepts_of", "lint"]
