"""How a piece of the spec is read and how its mistakes are said: closed mappings, and unions told apart by a head key."""

from __future__ import annotations

from collections.abc import Callable
from types import UnionType
from typing import Annotated, Any, ClassVar, Union, get_args, get_origin

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    ModelWrapValidatorHandler,
    ValidationError,
    model_validator,
)
from pydantic_core import CoreSchema, ErrorDetails, InitErrorDetails, PydanticCustomError, core_schema

from dure.site.yaml_text import closest

LARGEST_CONCEPT_ID = 2_147_483_647


def mistake(found: str, do: str = "", *, parent: bool = False) -> PydanticCustomError:
    """An error in the user's words; `parent` shows the path of the mapping that holds the key, not of the key."""
    return PydanticCustomError("mistake", "{found}", {"found": found, "do": do, "parent": parent})


def described(value: Any) -> str:
    """`'GENDER'`, `a list`, `a mapping` or `nothing`, for the beginning of a sentence about a wrong value."""
    if isinstance(value, str):
        return f"'{value}'"
    if isinstance(value, dict):
        return "{" + ", ".join(str(key) for key in value) + "}" if value else "an empty mapping"
    return "a list" if isinstance(value, list) else "an empty value"


def _in_users_words(error: ErrorDetails, cls: type[BaseModel]) -> InitErrorDetails:
    """One pydantic error as a mistake; errors from inside are in words already and pass through."""
    kind, given, context = error["type"], error["input"], error.get("ctx", {})
    at = error["loc"]
    if kind == "mistake":
        return InitErrorDetails(type=mistake(**context), loc=at, input=given)
    if kind == "wrong_shape":
        found = _not_of_shape(given, context)
        return InitErrorDetails(type=found, loc=at, input=given)
    words = {
        "string_type": f"{described(given)} stands where one text belongs",
        "list_type": f"{described(given)} stands where a list belongs",
        "dict_type": f"{described(given)} stands where a mapping belongs",
        "tuple_type": f"{described(given)} stands where a list belongs",
        "too_short": "at least one is needed",
    }
    if kind == "missing":
        found = mistake(f"'{at[-1]}' is missing", _hint(cls, str(at[-1])), parent=True)
    elif kind == "literal_error":
        allowed = [word.strip("'") for word in context["expected"].replace(" or ", ", ").split(", ")]
        near = closest(given, allowed) if isinstance(given, str) else ""
        found = mistake(f"{described(given)} is not one of {', '.join(allowed)}{near}")
    else:
        found = mistake(words.get(kind) or f"{described(given)}: {error['msg']}")
    return InitErrorDetails(type=found, loc=at, input=given)


def _hint(cls: type[BaseModel], key: str) -> str:
    return (cls.missing_hint(key) if issubclass(cls, Closed) else None) or ""


def _not_of_shape(given: Any, context: dict[str, Any]) -> PydanticCustomError:
    near = closest(next(iter(given)), context["heads"]) if isinstance(given, dict) and given else ""
    return mistake(f"{described(given)} is not {context['what']}{near}. Write {context['example']}")


class Closed(BaseModel):
    """A mapping that takes its own keys only and reports every mistake in it at once."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @model_validator(mode="wrap")
    @classmethod
    def _every_mistake(cls, data: Any, handler: ModelWrapValidatorHandler[Any]) -> Any:
        if isinstance(data, cls):
            return data
        if not isinstance(data, dict):
            raise mistake(f"{described(data)} stands where a mapping belongs", "keys: " + ", ".join(cls.keys()))
        errors: list[InitErrorDetails] = []
        given: dict[str, Any] = {}
        allowed = cls.keys()
        # Keys that were meant, though misspelt or left empty: saying that they are missing too would not help.
        meant = set[str]()
        for key, value in data.items():
            if key not in allowed:
                do = cls.unknown_hint(key) or "allowed: " + ", ".join(allowed)
                near = closest(key, allowed)
                meant |= {known for known in allowed if near == f" (closest: '{known}')"}
                found = mistake(f"unknown key '{key}'{near}", do, parent=True)
                errors.append(InitErrorDetails(type=found, loc=(key,), input=value))
            elif value is None:
                meant.add(key)
                found = mistake(f"'{key}' has no value", "give it one or remove the key", parent=True)
                errors.append(InitErrorDetails(type=found, loc=(key,), input=value))
            else:
                given[key] = value
        result = None
        try:
            result = handler(given)
        except ValidationError as error:
            for detail in error.errors(include_url=False):
                if not (detail["type"] == "missing" and len(detail["loc"]) == 1 and detail["loc"][0] in meant):
                    errors.append(_in_users_words(detail, cls))
        if errors:
            raise ValidationError.from_exception_data(cls.__name__, errors)
        return result

    @classmethod
    def keys(cls) -> list[str]:
        """The keys as a user writes them."""
        return [field.alias or name for name, field in cls.model_fields.items()]

    @classmethod
    def unknown_hint(cls, key: str) -> str | None:
        """What to do about an unknown key, where there is more to say than the list of known ones."""
        return None

    @classmethod
    def missing_hint(cls, key: str) -> str | None:
        """What to do about a required key that is not there."""
        return None


class Headed(Closed):
    """A mapping that a union recognises by its HEAD key."""

    HEAD: ClassVar[str]


class Shape:
    """Metadata of a union: which member a value is for, and what to write where it is for none.

    A mapping goes to the first member whose HEAD it holds or else to the open mapping, a list to the list member, a bare
    text to the scalar member or else to the list member.
    """

    def __init__(self, what: str, example: str) -> None:
        self.what, self.example = what, example

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        members = {_tag(member): member for member in get_args(source)}
        heads = [tag for tag in members if tag not in ("scalar", "list", "mapping")]
        return core_schema.tagged_union_schema(
            # No key of a file looks like `<…>`, so these steps drop out of the path that a user is shown.
            {f"<{tag}>": handler.generate_schema(member) for tag, member in members.items()},
            discriminator=_chooser(heads, set(members)),
            custom_error_type="wrong_shape",
            custom_error_message="wrong shape",
            custom_error_context={"what": self.what, "example": self.example, "heads": heads},  # type: ignore[dict-item]
        )


def _tag(member: Any) -> str:
    plain = get_args(member)[0] if get_origin(member) is Annotated else member
    if get_origin(plain) in (Union, UnionType):
        raise TypeError(f"{plain} is a union inside a shape")
    if get_origin(plain) in (list, dict):
        return "list" if get_origin(plain) is list else "mapping"
    return plain.HEAD if isinstance(plain, type) and issubclass(plain, Headed) else "scalar"


def _chooser(heads: list[str], members: set[str]) -> Callable[[Any], str | None]:
    def choose(value: Any) -> str | None:
        if isinstance(value, Headed):
            return f"<{value.HEAD}>"
        if isinstance(value, dict):
            rest = "<mapping>" if "mapping" in members else None
            return next((f"<{head}>" for head in heads if head in value), rest)
        if value is None:
            return None
        kinds = ("list",) if isinstance(value, list) else ("scalar", "list")
        return next((f"<{kind}>" for kind in kinds if kind in members), None)

    return choose


# ------------------------------------------------------------------------------------------------ scalars


def _not_empty(value: str) -> str:
    if not value.strip():
        raise mistake("the text is empty")
    return value


def _whole(value: Any) -> int:
    if isinstance(value, int):
        return value
    if isinstance(value, str) and value.isascii() and value.removeprefix("-").isdigit():
        return int(value)
    raise mistake(f"{described(value)} is not a whole number")


def _concept_id(value: Any) -> int:
    if isinstance(value, str) and value.isascii() and value.isdigit() and int(value) <= LARGEST_CONCEPT_ID:
        return int(value)
    if isinstance(value, int) and 0 <= value <= LARGEST_CONCEPT_ID:
        return value
    raise mistake(f"{described(value)} is not a concept id", f"a whole number from 0 to {LARGEST_CONCEPT_ID}")


def _decimal(value: Any) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise mistake(f"{described(value)} is not a number") from None
    if number != number or number in (float("inf"), float("-inf")):
        raise mistake(f"{described(value)} is not a number")
    return number


def _yes_or_no(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if value in ("true", "false"):
        return bool(value == "true")
    raise mistake(f"{described(value)} is neither true nor false")


def one_or_many(value: Any) -> Any:
    """A single item where a list is taken."""
    return [value] if isinstance(value, str) else value


Name = Annotated[str, AfterValidator(_not_empty)]
Names = Annotated[list[Name], BeforeValidator(one_or_many), Field(min_length=1)]
Whole = Annotated[int, BeforeValidator(_whole)]
ConceptId = Annotated[int, BeforeValidator(_concept_id)]
Decimal = Annotated[float, BeforeValidator(_decimal)]
YesNo = Annotated[bool, BeforeValidator(_yes_or_no)]
