"""gpucrust report."""

from pathlib import Path
from typing import Annotated

import typer

from gpucrust.cli.app import Result, app, checked_result
from gpucrust.sweep.errors import SweepError


@app.command()
def report(
    result: Result,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="HTML file; default: RESULT.html here")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="replace a file that exists")] = False,
) -> None:
    """Write a report of a result: one HTML file with its figures and tables, to read, keep or send.

    \b
    gpucrust report figure1.nc -o report.html
    """
    from gpucrust.results.html_report import write_report

    target = output or Path(result.stem + ".html")
    if target.exists() and not overwrite:
        raise SweepError(f"{target} exists: give another name with -o, or --overwrite")
    write_report(checked_result(result), target)
    print(f"wrote {target}")
