"""gpucrust masses."""

from typing import Annotated

import typer

from gpucrust.cli.app import app

masses_app = typer.Typer(
    help="Mass tables that cannot be packaged. Example: gpucrust masses install frdm2012", no_args_is_help=True
)
app.add_typer(masses_app, name="masses")


@masses_app.command()
def install(
    table: Annotated[str, typer.Argument(help="frdm2012", show_default=False)],
    source: Annotated[str | None, typer.Option("--from", help="file or URL; default: the authors' table")] = None,
) -> None:
    """Install a mass table that cannot be packaged into your data folder (GPUCRUST_DATA overrides which).

    \b
    gpucrust masses install frdm2012                   the authors' table
    gpucrust masses install frdm2012 --from table.csv  from a file
    """
    from gpucrust.masses.install import InstallError, install_frdm2012

    if table.lower() != "frdm2012":
        raise InstallError(f"masses install {table}: the only table to install is frdm2012")
    print(f"installed {install_frdm2012(source)}")
