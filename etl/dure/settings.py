"""Where a command's options come from: `dure.yaml` in the working directory, then the environment, then flags.

The command line reads the environment itself (`DURE_LAKE` and so on); here are the names both may use, the file, and
the folders that sites are looked for in.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from importlib.util import find_spec
from pathlib import Path

from dure.errors import ConfigurationError, Problem

FILE = "dure.yaml"
PREFIX = "DURE_"

# Settings that a file or the environment may give; `sites` may be several folders.
SETTINGS = (
    "site",
    "sites",
    "source",
    "vocab",
    "lake",
    "engine",
    "master",
    "threads",
    "memory",
    "as_of",
    "deadline",
    "no_disk_check",
    "keep",
    "keep_days",
    "keep_reports",
    "lang",
    "log_format",
    "quiet",
    "ledger",
    "metrics",
    "webhook",
    "jobs",
    "store",
)
_LISTS = frozenset({"sites"})
_FOLDERS = frozenset({"sites", "source", "vocab", "lake", "metrics", "store"})
# Variables of the same prefix that are no settings: secrets stand in no file and on no command line.
_SECRETS = ("DURE_PUBLISH_KEY", "DURE_WEBHOOK_SECRET")

Values = dict[str, str | list[str]]


def read_settings(folder: Path) -> Values:
    """The settings in the folder's `dure.yaml` as text by name; none when there is no file.

    Raises ConfigurationError with every mistake: an unknown name with the closest known one, a name given twice, a
    value that is no text. A folder is taken from where the file lies.
    """
    path = folder / FILE
    if not path.is_file():
        return {}
    import yaml  # here, since most commands find no file to read

    content = path.read_bytes()
    try:
        node = yaml.compose(content.decode("utf-8-sig"), Loader=yaml.SafeLoader)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigurationError(Problem(f"{FILE}:{line}", "not UTF-8", "save the file as UTF-8")) from None
    except yaml.YAMLError as error:
        mark, found = getattr(error, "problem_mark", None), getattr(error, "problem", None)
        where = f"{FILE}:{mark.line + 1}" if mark else FILE
        found = f"no YAML: {found or 'a character that YAML forbids'}"
        raise ConfigurationError(Problem(where, found, "write one `name: value` a line")) from None
    if node is None:
        return {}
    if not isinstance(node, yaml.MappingNode):
        raise ConfigurationError(Problem(f"{FILE}:1", "no list of settings", "write one `name: value` a line"))
    values: Values = {}
    problems: list[Problem] = []
    for key, value in node.value:
        name, where = str(key.value), f"{FILE}:{key.start_mark.line + 1}"
        texts = _texts(value)
        if name not in SETTINGS:
            problems.append(Problem(where, f"no setting '{name}'{_closest(name, SETTINGS)}", _known()))
        elif name in values:
            problems.append(Problem(where, f"'{name}' is given twice", "keep one of the two"))
        elif texts is None or (name not in _LISTS and len(texts) != 1):
            kind = "one value or a list of values" if name in _LISTS else "one value"
            problems.append(Problem(where, f"'{name}' is not {kind}", f"write `{name}: value`"))
        else:
            if name in _FOLDERS:
                texts = [str(folder / Path(text).expanduser()) for text in texts]
            values[name] = texts if name in _LISTS else texts[0]
    if problems:
        raise ConfigurationError(problems)
    return values


def _texts(node: object) -> list[str] | None:
    """The text of a value, or the texts of a list of them; None for anything else, an empty value included."""
    from yaml import ScalarNode, SequenceNode

    if isinstance(node, ScalarNode):
        return [node.value] if node.value else None
    if isinstance(node, SequenceNode) and node.value and all(isinstance(item, ScalarNode) for item in node.value):
        return [item.value for item in node.value]
    return None


def check_environment(environment: Mapping[str, str]) -> None:
    """Refuses a `DURE_` variable that looks like a misspelt setting; others may be another program's business."""
    names = [*(PREFIX + name.upper() for name in SETTINGS), *_SECRETS]
    problems = [
        Problem(name, f"no such setting{close}", "correct the name, or unset it")
        for name in sorted(environment)
        if name.startswith(PREFIX) and name not in names and (close := _closest(name, names))
    ]
    if problems:
        raise ConfigurationError(problems)


def _closest(name: str, known: Iterable[str]) -> str:
    close = get_close_matches(name, list(known), 1, cutoff=0.75)
    return f" (closest: '{close[0]}')" if close else ""


def _known() -> str:
    return f"{FILE} knows {', '.join(SETTINGS)}"


def default_sites(folder: Path) -> tuple[Path, ...]:
    """Where sites are looked for when nobody says: `sites` in the folder, then the examples that come with Dure."""
    own = folder / "sites"
    return tuple(path for path in (own, shipped_sites()) if path is not None and path.is_dir())


def shipped_sites() -> Path | None:
    """The example sites."""
    return shipped("sites")


def shipped(name: str) -> Path | None:
    """A folder of data that comes with Dure: inside the package once installed, in `vocab_mappings` of a checkout."""
    spec = find_spec("dure.vocab")  # finds it without importing it
    for location in (spec.submodule_search_locations or ()) if spec else ():
        package = Path(location)
        if (package / name).is_dir():
            return package / name
        root = package.parents[1]
        if root.name == "vocab_mappings" and (root / name).is_dir():
            return root / name
    return None
