"""gpucrust export."""

from pathlib import Path
from typing import Annotated

import typer

from gpucrust.cli.app import Result, app, checked_result
from gpucrust.support.nearest import nearest
from gpucrust.sweep.errors import SweepError

SUFFIX = {"csv": ".csv", "dstar": ".abuntime", "nscool": ".nscool", "npz": ".npz"}
"""Formats, and the suffix of what is written in each by default."""


@app.command()
def export(
    result: Result,
    format: Annotated[
        str, typer.Option("--format", "-f", help="csv, dstar, nscool or npz", autocompletion=lambda: list(SUFFIX))
    ],
    output: Annotated[Path | None, typer.Option("-o", "--output", help="file; default: RESULT.FORMAT here")] = None,
    choices: Annotated[
        list[str] | None, typer.Option("--select", help="AXIS=VALUE, which member; may be given several times")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="replace files that exist")] = False,
) -> None:
    """Write profiles in the format of another tool.

    \b
    csv     all profiles of all members, or of those selected, for anyone
    dstar   composition and heating for the cooling code dStar
    nscool  heat sources for the cooling code NSCool
    npz     a crust equation of state (n, p, e) for the TOV code jester

    \b
    gpucrust export figure1.nc --format csv
    gpucrust export figure1.nc --format npz --select mass_model=DZ31 -o dz31.npz
    """
    from gpucrust.results.export import FORMATS, files, select

    if format not in FORMATS:
        raise SweepError(f"--format {format}: did you mean {nearest(format, FORMATS)}? (one of {', '.join(FORMATS)})")
    target = output or Path(result.stem + SUFFIX[format])
    for path in files(format, target):
        if path.exists() and not overwrite:
            raise SweepError(f"{path} exists: give another name with -o, or --overwrite")
    wanted = dict(_choice(text) for text in choices or [])
    for path in FORMATS[format](select(checked_result(result), wanted), target):
        print(f"wrote {path}")


def _choice(text: str) -> tuple[str, str]:
    axis, separator, value = text.partition("=")
    if not separator:
        raise SweepError(f"--select {text}: write AXIS=VALUE, such as mass_model=DZ31")
    return axis.strip(), value.strip()
