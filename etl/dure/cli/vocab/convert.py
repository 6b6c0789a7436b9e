"""`dure vocab convert`."""

from __future__ import annotations

from pathlib import Path

import click

from dure.cli.options import Command
from dure.cli.starting import debug_option, example, print_path, quiet_option, start
from dure.errors import ConfigurationError, Problem


@click.command(
    cls=Command,
    epilog=example(
        "dure vocab convert usagi.csv --to dure -o maps/edi.csv",
        "dure vocab convert maps/검사.xlsx --to usagi -o review.csv",
    ),
)
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--to", "form", type=click.Choice(["usagi", "stcm", "dure"]), required=True, help="The format to write.")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), required=True, metavar="OUT", help="CSV, TSV or .xlsx."
)
@click.option("--sheet", metavar="NAME", help="The sheet of a workbook.  [default: the first that is a map]")
@click.option("--force", is_flag=True, help="Write over OUT if it is there.")
@quiet_option
@debug_option
@click.pass_context
def convert(
    ctx: click.Context,
    file: Path,
    form: str,
    output: Path,
    sheet: str | None,
    force: bool,
    quiet: bool,
    debug: bool,
) -> None:
    """Write a map in the format of another tool, with all it says.

    What a format has no column for becomes a column of its own (ADD_INFO: in Usagi's), and is read back. A map without
    statuses becomes APPROVED in Usagi, since a run applies it. Prints OUT.
    """
    report = start(ctx, None, quiet=quiet, debug=debug)

    from dure.vocab.maps import FORMATS, read_map, write_map

    table = read_map(file, sheet)
    if table.grid.ragged:
        raise ConfigurationError(
            [
                Problem(
                    f"{file}:{record.row}",
                    f"{len(record.cells)} cells, the header has {len(table.grid.header)}",
                    "repair the row first: a value that holds the separator needs quotes",
                )
                for record in table.grid.ragged[:20]
            ]
        )
    if output.exists() and not force:
        raise ConfigurationError(Problem(str(output), "is there already", "name another file, or say --force"))
    try:
        write_map(table, next(each for each in FORMATS if each == form), output)
    except OSError as error:
        raise ConfigurationError(Problem(str(output), f"cannot be written: {error.strerror}")) from error
    report.note(f"{len(table.grid.records)} rows written")
    print_path(output)
