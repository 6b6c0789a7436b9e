"""Options that a flag, the environment or `dure.yaml` may give, and the checks of those that name folders."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import click
from click.core import ParameterSource

from dure.errors import ConfigurationError, Problem
from dure.settings import FILE, PREFIX, Values, check_environment, default_sites, read_settings

T = TypeVar("T")


class Command(click.Command):
    """A command whose options may also come from `dure.yaml`; its help works however wrong that file is."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not any(name in args for name in ctx.help_option_names):
            check_environment(os.environ)
            ctx.default_map = cast(dict[str, Any], self._own(read_settings(Path.cwd())))
        ctx.meta["dure.arguments"] = tuple(args)
        return super().parse_args(ctx, args)

    def _own(self, values: Values) -> Values:
        return {parameter.name: values[parameter.name] for parameter in self.params if parameter.name in values}


def option(*names: str, **attributes: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """An option that the environment may give too: --as-of as DURE_AS_OF."""
    variable = PREFIX + names[0].removeprefix("--").replace("-", "_").upper()
    return click.option(*names, envvar=variable, show_envvar=True, **attributes)


class Given:
    """Checks the options of a command, to report all that is wrong with them at once and where each came from."""

    def __init__(self, ctx: click.Context) -> None:
        self._ctx = ctx
        self._problems: list[Problem] = []

    def required(self, name: str, value: T | None) -> T:
        """The value; where it is None the command ends in `check`."""
        if value is None:
            flag = name.upper() if name == "site" else f"--{name}"
            do = f"write it on the command line, in {PREFIX}{name.upper()}, or as `{name}:` in {FILE}"
            self._problems.append(Problem(flag, "not given", do))
        return cast(T, value)

    def folder(self, name: str, value: Path | None) -> Path:
        """A folder that must be there."""
        folder = self.required(name, value)
        if value is not None and not value.is_dir():
            self._problems.append(self._no_folder(name, value))
        return folder

    def new_folder(self, name: str, value: Path | None) -> Path:
        """A folder that is there or can be made."""
        folder = self.required(name, value)
        if value is not None and value.exists() and not value.is_dir():
            self._problems.append(self._no_folder(name, value))
        return folder

    def sites(self, values: tuple[Path, ...]) -> tuple[Path, ...]:
        self._problems += [self._no_folder("sites", value) for value in values if not value.is_dir()]
        return values or default_sites(Path.cwd())

    def check(self) -> None:
        if self._problems:
            raise ConfigurationError(self._problems)

    def _no_folder(self, name: str, value: Path) -> Problem:
        return Problem(self._where(name), f"{value} is {'a file' if value.exists() else 'not there'}", "name a folder")

    def _where(self, name: str) -> str:
        source = self._ctx.get_parameter_source(name)
        if source is ParameterSource.ENVIRONMENT:
            return PREFIX + name.upper()
        if source is ParameterSource.DEFAULT_MAP:
            return f"{FILE} {name}"
        return "DIR" if name == "directory" else f"--{name}"
