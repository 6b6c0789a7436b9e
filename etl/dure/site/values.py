"""The shapes of a value: a bare text is a column, otherwise the head key of a mapping says how to read it."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field, model_validator

from dure.site.formats import Format
from dure.site.shapes import Closed, ConceptId, Decimal, Headed, Name, Names, Shape, YesNo, mistake

# After reading, every map is the name of one under `maps:`; a map written at a value got the name of its path.
MapName = Name
Columns = Annotated[list[Name], Field(min_length=1)]

# ------------------------------------------------------------------------------------------------ text


class TextLiteral(Headed):
    """One text for every row."""

    HEAD: ClassVar[str] = "literal"
    literal: str


class TextMap(Headed):
    """The text that a map gives for a column; a value that the map lacks stays as it is."""

    HEAD: ClassVar[str] = "column"
    column: Name
    map: MapName


class Join(Headed):
    """Columns written one after the other; empty ones are left out with their separator."""

    HEAD: ClassVar[str] = "join"
    join: Columns
    with_: str = Field("", alias="with")


class FirstText(Headed):
    """The first text that is not empty."""

    HEAD: ClassVar[str] = "first_of"
    first_of: Annotated[list[Text], Field(min_length=1)]


Text = Annotated[
    Name | TextLiteral | TextMap | Join | FirstText,
    Shape("a text", "a column name, {literal: …}, {column: …, map: …}, {join: […], with: …} or {first_of: […]}"),
]

# ------------------------------------------------------------------------------------------------ coded


class VocabularyOfRow(Headed):
    """The vocabulary that a column names row by row, through a map where its names are not Athena's."""

    HEAD: ClassVar[str] = "column"
    column: Name
    map: MapName | None = None


VocabularyChoice = Annotated[
    Name | VocabularyOfRow, Shape("a vocabulary", "a vocabulary's name or {column: SYSTEM, map: M}")
]


class CodedColumn(Headed):
    """A code in a column (or in several, for a map), with the vocabulary or the map that gives it a meaning."""

    HEAD: ClassVar[str] = "column"
    column: Names
    vocabulary: VocabularyChoice | None = None
    map: MapName | None = None
    type: Name | None = None
    specimen: Name | None = None
    unit: Name | None = None
    description: Name | None = None

    @model_validator(mode="after")
    def _one_meaning(self) -> CodedColumn:
        if self.vocabulary and self.map:
            do = "vocabulary: codes with validity, lint and provenance; map: a short fixed list. Keep one"
            raise mistake("has both vocabulary and map", do)
        if self.vocabulary and len(self.column) > 1:
            raise mistake("several columns make no code of a vocabulary", "keep one column, or use map")
        extra = [name for name in ("type", "specimen", "unit") if getattr(self, name)]
        if extra and not self.vocabulary:
            raise mistake(
                f"{', '.join(extra)} without vocabulary", "they are part of a mapping's key; name the vocabulary"
            )
        return self


class CodedLiteral(Headed):
    """One code of a vocabulary for every row."""

    HEAD: ClassVar[str] = "literal"
    literal: Name
    vocabulary: Name

    @classmethod
    def missing_hint(cls, key: str) -> str | None:
        return "a code needs its vocabulary: {literal: CODE, vocabulary: V}; a fixed concept is {concept_id: N}"


class Concept(Headed):
    """One concept for every row."""

    HEAD: ClassVar[str] = "concept_id"
    concept_id: ConceptId


class RrnSex(Headed):
    """The sex that the seventh digit of a Korean resident registration number says."""

    HEAD: ClassVar[str] = "rrn_sex"
    rrn_sex: Name


class RrnRace(Headed):
    """Korean where a Korean resident registration number is that of a national; 0 where it is a foreigner's."""

    HEAD: ClassVar[str] = "rrn_race"
    rrn_race: Name


class FirstCoded(Headed):
    """The first coded value that finds a concept."""

    HEAD: ClassVar[str] = "first_of"
    first_of: Annotated[list[Coded], Field(min_length=1)]


Coded = Annotated[
    CodedColumn | CodedLiteral | Concept | RrnSex | RrnRace | FirstCoded,
    Shape(
        "a coded value",
        "{column: COL, vocabulary: V}, {column: COL, map: M}, {literal: CODE, vocabulary: V}, {concept_id: N} "
        "or {first_of: […]}",
    ),
]
TypeConcept = Annotated[
    ConceptId | CodedColumn | Concept | FirstCoded,
    Shape("a type concept", "a concept id or {column: COL, map: M}"),
]

# ------------------------------------------------------------------------------------------------ number


class NumberLiteral(Headed):
    """One number for every row."""

    HEAD: ClassVar[str] = "literal"
    literal: Decimal


class Product(Headed):
    """Columns multiplied; `empty` stands for an empty one, without it one empty column makes the product empty."""

    HEAD: ClassVar[str] = "product"
    product: Columns
    empty: Decimal | None = None


Number = Annotated[
    Name | NumberLiteral | Product,
    Shape("a number", "a column name, {literal: 1} or {product: [A, B], empty: 1}"),
]

# ------------------------------------------------------------------------------------------------ dates

DayOf = Literal["first", "middle", "last"]


class DateOf(Headed):
    """A date column, with the column of its time and its own formats where it has them."""

    HEAD: ClassVar[str] = "date"
    date: Name
    time: Name | None = None
    formats: Annotated[list[Format], Field(min_length=1)] | None = None


class MonthOf(Headed):
    """A day of a month given as year and month."""

    HEAD: ClassVar[str] = "month"
    month: Name
    day: DayOf


class YearOf(Headed):
    """A day of a year; a birth needs no day."""

    HEAD: ClassVar[str] = "year"
    year: Name
    day: DayOf | None = None


class Parts(Headed):
    """A date in a column of years, one of months and one of days."""

    HEAD: ClassVar[str] = "parts"
    parts: Columns

    @model_validator(mode="after")
    def _three(self) -> Parts:
        if len(self.parts) != 3:
            raise mistake(f"{len(self.parts)} columns, where a date has three parts", "parts: [YEAR, MONTH, DAY]")
        return self


class FirstMoment(Headed):
    """The first date that is not empty."""

    HEAD: ClassVar[str] = "first_of"
    first_of: Annotated[list[Moment], Field(min_length=1)]


class LastsDays(Headed):
    """The last day of something that lasts N days from its start, the start counted."""

    HEAD: ClassVar[str] = "lasts_days"
    lasts_days: Name


class FirstEnd(FirstMoment):
    """The first end that is not empty."""

    first_of: Annotated[list[End], Field(min_length=1)]  # type: ignore[assignment]


class RrnBirth(Headed):
    """The birth date that a Korean resident registration number says."""

    HEAD: ClassVar[str] = "rrn_birth"
    rrn_birth: Name


class AgeGroup(Headed):
    """The birth year in the middle of a five-year age group, in the year of a column."""

    HEAD: ClassVar[str] = "age_group"
    age_group: Name
    year: Name


class FirstBirth(Headed):
    """The first birth that is not empty."""

    HEAD: ClassVar[str] = "first_of"
    first_of: Annotated[list[Birth], Field(min_length=1)]


_DATES = "a column name, {date: D, time: T}, {month: YM, day: last}, {year: Y, day: first}, {parts: [Y, M, D]}"
Moment = Annotated[
    Name | DateOf | MonthOf | YearOf | Parts | FirstMoment, Shape("a date", f"{_DATES} or {{first_of: […]}}")
]
End = Annotated[
    Name | DateOf | MonthOf | YearOf | Parts | LastsDays | FirstEnd,
    Shape("an end date", f"{_DATES}, {{lasts_days: N}} or {{first_of: […]}}"),
]
Birth = Annotated[
    # An age group holds `year` too, so it is asked first.
    Name | DateOf | MonthOf | AgeGroup | YearOf | Parts | RrnBirth | FirstBirth,
    Shape("a birth date", f"{_DATES}, {{rrn_birth: RRN}}, {{age_group: COL, year: Y}} or {{first_of: […]}}"),
]

# ------------------------------------------------------------------------------------------------ keys


class KeyPart(Headed):
    """A fixed part of a key, which keeps the keys of two sources apart."""

    HEAD: ClassVar[str] = "literal"
    literal: Name


def _one_part(value: Any) -> Any:
    return [value] if isinstance(value, str) or (isinstance(value, dict) and "literal" in value) else value


KeyItem = Annotated[Name | KeyPart, Shape("a part of a key", "a column name or {literal: …}")]
Key = Annotated[list[KeyItem], BeforeValidator(_one_part), Field(min_length=1)]


class RefTo(Headed):
    """A reference that says what happens where it is not found."""

    HEAD: ClassVar[str] = "key"
    key: Key
    missing: Literal["null", "reject"] = "null"


Ref = Annotated[Key | RefTo, Shape("a reference", "a column, [A, B] or {key: [A, B], missing: reject}")]

# ------------------------------------------------------------------------------------------------ result values


class Result(Headed):
    """A result as a laboratory writes it: operator, number and category in one text."""

    HEAD: ClassVar[str] = "result"
    result: Name
    map: MapName | None = None


class OnlyNumber(Headed):
    """A result that is a number or nothing."""

    HEAD: ClassVar[str] = "number"
    number: Name


class OnlyText(Headed):
    """A result that is never a number, with a map for those of its texts that are a category."""

    HEAD: ClassVar[str] = "text"
    text: Name
    map: MapName | None = None


Value = Annotated[
    Name | Result | OnlyNumber | OnlyText | CodedColumn,
    Shape(
        "a value",
        "a column name (read as a result), {result: COL, map: M}, {number: COL}, {text: COL, map: M} or a coded column",
    ),
]

# ------------------------------------------------------------------------------------------------ events


class EventRow(Headed):
    """The row that the same source row became in another table."""

    HEAD: ClassVar[str] = "row"
    row: Name


class EventPerson(Headed):
    HEAD: ClassVar[str] = "person"
    person: Ref


class EventVisit(Headed):
    HEAD: ClassVar[str] = "visit"
    visit: Ref


class EventDetail(Headed):
    HEAD: ClassVar[str] = "visit_detail"
    visit_detail: Ref


class EventSpecimen(Headed):
    HEAD: ClassVar[str] = "specimen"
    specimen: Ref


Event = Annotated[
    EventRow | EventPerson | EventVisit | EventDetail | EventSpecimen,
    Shape(
        "a row of another table",
        "{row: drug_exposure} (made of this same source row) or {visit: KEY}, {visit_detail: KEY}, {person: KEY}, "
        "{specimen: KEY}",
    ),
]

# ------------------------------------------------------------------------------------------------ conditions


class Not(Headed):
    """Every value but these, the empty cell included."""

    HEAD: ClassVar[str] = "not"
    not_: Names = Field(alias="not")


class Present(Headed):
    """Whether the cell holds anything."""

    HEAD: ClassVar[str] = "present"
    present: YesNo


Condition = Annotated[Names | Not | Present, Shape("a condition", "[a, b], {not: [a, b]} or {present: true}")]
Where = Annotated[dict[str, Condition], Field(min_length=1)]


class Keep(Closed):
    """Which of several rows with one key counts: the first or the last in the order of columns, or all, numbered."""

    first: Names | None = None
    last: Names | None = None
    all: Names | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> Keep:
        if sum(order is not None for order in (self.first, self.last, self.all)) != 1:
            raise mistake("keep needs one of first, last, all", "e.g. keep: {last: [UPDATED_AT]}")
        return self


for _model in (FirstText, FirstCoded, FirstMoment, FirstEnd, FirstBirth):
    _model.model_rebuild()
