"""Entries: one model a CDM table, its keys derived from the CDM's own columns."""

from __future__ import annotations

from functools import cache
from typing import Any, ClassVar

from pydantic import Field, create_model

from dure.cdm.roles import Role, roles, spec_tables
from dure.cdm.schema import table
from dure.site.shapes import Closed, Name
from dure.site.values import (
    Birth,
    Coded,
    CodedColumn,
    CodedLiteral,
    Concept,
    End,
    Event,
    FirstCoded,
    Keep,
    Key,
    Moment,
    Number,
    Ref,
    Text,
    TypeConcept,
    Value,
    Where,
)

_KINDS: dict[str, Any] = {
    "ref": Ref,
    "coded": Coded,
    "type": TypeConcept,
    "moment": Moment,
    "end": End,
    "birth": Birth,
    "value": Value,
    "event": Event,
    "number": Number,
    "text": Text,
    "relationship": Name,
}
# Role names that Python or pydantic keep for themselves.
_ATTRIBUTES = {"class": "class_"}


def attribute(role: str) -> str:
    """The attribute of an entry that holds a role: `class` is `class_`, every other role its own name."""
    return _ATTRIBUTES.get(role, role)


class Entry(Closed):
    """One rule: the rows of a source that become rows of a CDM table, and what fills each role."""

    TABLE: ClassVar[str]
    from_: Name = Field(alias="from")
    where: Where | None = None
    label: Name | None = None
    key: Key | None = None
    keep: Keep | None = None

    def given(self, role: str) -> Any:
        """What the spec gives for a role, or None."""
        return getattr(self, attribute(role), None)

    @property
    def default_label(self) -> str:
        """The label, else the first column (or the literal or concept) of the code, else ''."""
        return self.label if self.label is not None else _code_name(self.given("code"))

    @classmethod
    def unknown_hint(cls, key: str) -> str | None:
        known = roles(cls.TABLE)
        if key not in table(cls.TABLE).names:
            return None
        role = next((r for r in known.values() if key in r.columns.values()), None)
        if role is None:
            return f"Dure fills {key} itself; remove the key"
        if role.kind in ("moment", "end", "birth"):
            return f"dates are given by role: write {role.name}: …"
        if role.kind == "ref":
            return f"references are given by role: write {role.name}: …"
        return f"concepts are given by role: write {role.name}: …" if role.kind == "coded" else f"write {role.name}: …"

    @classmethod
    def missing_hint(cls, key: str) -> str | None:
        return f"every entry of {cls.TABLE} needs it"


def _code_name(code: Any) -> str:
    if isinstance(code, FirstCoded):
        return _code_name(code.first_of[0])
    if isinstance(code, CodedColumn):
        return code.column[0]
    if isinstance(code, CodedLiteral):
        return code.literal
    return str(code.concept_id) if isinstance(code, Concept) else ""


def _field(role: Role) -> tuple[Any, Any]:
    kind = _KINDS[role.kind]
    alias = role.name if attribute(role.name) != role.name else None
    return (kind, Field(alias=alias)) if role.required else (kind | None, Field(None, alias=alias))


@cache
def entry_model(table_name: str) -> type[Entry]:
    """The model of an entry of one CDM table, its roles derived from the CDM."""
    fields: dict[str, Any] = {attribute(role.name): _field(role) for role in roles(table_name).values()}
    model = create_model(f"Entry_{table_name}", __base__=Entry, __module__=__name__, **fields)
    model.TABLE = table_name
    model.__doc__ = f"One rule that fills {table_name}."
    return model


class _Tables(Closed):
    @classmethod
    def unknown_hint(cls, key: str) -> str | None:
        if key in ("observation_period", "condition_era", "drug_era", "dose_era", "cdm_source", "metadata"):
            return f"Dure derives {key}; remove it"
        return None


_FIELDS: dict[str, Any] = {name: (list[entry_model(name)], Field(default_factory=list)) for name in spec_tables()}  # type: ignore[misc]
Tables = create_model("Tables", __base__=_Tables, **_FIELDS)
