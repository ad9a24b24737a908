"""gpucrust init."""

from pathlib import Path
from typing import Annotated

import typer

from gpucrust.cli.app import app
from gpucrust.sweep.errors import SweepError


@app.command()
def init(
    output: Annotated[Path, typer.Argument(help="sweep file to write")] = Path("sweep.toml"),
    overwrite: Annotated[bool, typer.Option("--overwrite", help="replace a file that exists")] = False,
) -> None:
    """Write a sweep file with every setting at its default, and what it means.

    \b
    gpucrust init mine.toml
    """
    from gpucrust.sweep.template import sweep_template

    if output.exists() and not overwrite:
        raise SweepError(f"{output} exists: give another name, or --overwrite")
    output.write_text(sweep_template(), encoding="utf-8")
    print(f"wrote {output}; edit it, then: gpucrust run {output}")
