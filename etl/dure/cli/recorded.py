"""How a command is recorded and watched: the options that say where, and the reporter that writes it down."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from dure.cli.endings import State
from dure.cli.options import option
from dure.errors import DureError
from dure.progress import Reporter

if TYPE_CHECKING:
    from dure.ledger.facts import Command, RunFacts
    from dure.ledger.history import History
    from dure.ledger.recording import Ending, Recording, Save

_PATH = click.Path(path_type=Path)

ledger_option = option(
    "--ledger",
    metavar="URL",
    help="Where runs are noted: postgresql://…, sqlite:///FILE, env:NAME, file:PATH or none.  [default: LAKE/ledger.sqlite]",
)
metrics_option = option(
    "--metrics",
    type=_PATH,
    metavar="PATH",
    help="A folder (or a file x.prom) that node_exporter's textfile collector reads.",
)
webhook_option = option(
    "--webhook",
    metavar="URL",
    help="Told how the run ended, as JSON; signed with DURE_WEBHOOK_SECRET. Or env:NAME, file:PATH.",
)
facts_option = click.option("--facts", type=_PATH, hidden=True, help="Where `run --all` looks for the facts of a run.")


def watching_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """--ledger, --metrics, --webhook and what `run --all` adds."""
    for each in (facts_option, webhook_option, metrics_option, ledger_option):
        command = each(command)
    return command


def record(
    ctx: click.Context,
    report: Reporter,
    command: Command,
    *,
    site: str | None,
    lake: Path | None,
    sites: tuple[Path, ...] = (),
    facts_file: Path | None = None,
) -> Recording:
    """The reporter to go on with. It records as soon as it is known which site of which lake the command is about.

    Raises ConfigurationError for a ledger or webhook that cannot be one, before anything is recorded.
    """
    from dure.ledger.recording import Recording, facts_of

    recording = Recording(report)
    if site is None or lake is None:
        return recording
    saves, endings = savings(ctx, recording, lake)
    ctx.ensure_object(State).reporter = recording
    facts = facts_of(command, lake, _site_id(site, lake, sites), site, recording.began)
    facts.engine = ctx.params.get("engine")
    report.bind(run=facts.id, site=facts.site)
    if facts_file is not None:
        saves.append(_writing(facts_file))
    recording.begin(facts, saves, endings)
    return recording


def savings(ctx: click.Context, report: Reporter, lake: Path) -> tuple[list[Save], list[Ending]]:
    """Who writes the facts of a run down, and who is told of its end, by the options of the command."""
    from dure.ledger.address import address_of
    from dure.ledger.recorder import Recorder

    address = address_of(ctx.params["ledger"], lake, private=_from_environment(ctx, "ledger"))
    saves: list[Save] = []
    if address is not None:
        recorder = Recorder(address, lake, report.warn)
        saves.append(lambda facts, last: recorder.save(facts, last=last))
    endings: list[Ending] = []
    metrics, webhook = ctx.params.get("metrics"), ctx.params.get("webhook")
    if metrics is not None:
        from dure.watch.metrics import write_metrics

        endings.append(lambda facts: write_metrics(metrics, facts))
    if webhook is not None:
        from dure.watch.webhook import webhook_of

        endings.append(webhook_of(webhook).tell)
    return saves, endings


def history_of(ctx: click.Context, lake: Path) -> History:
    """The runs of a lake by the ledger that --ledger names."""
    from dure.ledger.address import address_of
    from dure.ledger.history import History

    return History(lake, address_of(ctx.params["ledger"], lake, private=_from_environment(ctx, "ledger")))


def tell(report: Reporter, history: History) -> None:
    """Says what could not be read."""
    for problem in dict.fromkeys(history.problems):
        report.warn(problem)


def _from_environment(ctx: click.Context, name: str) -> bool:
    """Whether a password may stand in it: other users see command lines, and often files, but not the environment."""
    return ctx.get_parameter_source(name) is ParameterSource.ENVIRONMENT


def _writing(file: Path) -> Save:
    def write(facts: RunFacts, last: bool) -> None:
        beside = file.with_name(f"{file.name}.new")
        beside.write_text(facts.model_dump_json(), "utf-8")
        beside.replace(file)

    return write


def _site_id(name: str, lake: Path, sites: tuple[Path, ...]) -> str:
    """What the lake calls the site; for a first run what its site.yaml says, and the name itself when nothing does."""
    from dure.site.names import folder_of
    from dure.site.yaml_text import read_yaml
    from dure.snapshot.lake import Lake
    from dure.snapshot.names import site_folder_name

    try:
        known = Lake(lake).called(name)
        if known.folder.is_dir():
            return known.site
        said = read_yaml(folder_of(name, sites) / "site.yaml").data
        own = said.get("site") if isinstance(said, dict) else None
        return site_folder_name(str(own["id"])) if isinstance(own, dict) and "id" in own else known.site
    except (DureError, OSError):
        return name
