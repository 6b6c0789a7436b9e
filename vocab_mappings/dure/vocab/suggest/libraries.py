"""The libraries of the extra `suggest`, which only this command needs: they weigh more than the rest of Dure."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from dure.errors import ConfigurationError, Problem


def library(name: str) -> Any:
    """An imported library; raises ConfigurationError where the extra is not installed."""
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        top = name.partition(".")[0]
        if error.name is None or error.name.partition(".")[0] != top:
            raise
        do = "install the extra that suggestions need: pip install 'dure[suggest]'"
        raise ConfigurationError(Problem("dure vocab suggest", f"the library {top} is not installed", do)) from error
