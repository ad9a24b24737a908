"""gpucrust doctor."""

import platform

import typer

from gpucrust.cli.app import app
from gpucrust.version import __version__


@app.command()
def doctor() -> None:
    """Check this installation: versions, devices, a small ensemble on each against stored numbers, the cache.

    Exit status 1 if something is wrong. Example: gpucrust doctor
    """
    import jax
    import jaxlib
    from rich.console import Console
    from rich.table import Table

    from gpucrust.jobs.doctor import FAULTY_JAX, cache_state, examine

    print(f"gpucrust {__version__}, Python {platform.python_version()}, {platform.platform()}")
    print(f"jax {jax.__version__}, jaxlib {jaxlib.__version__}")
    fault = FAULTY_JAX.get(jax.__version__) or FAULTY_JAX.get(jaxlib.__version__)
    if fault:
        print(f"this version of JAX {fault}: install another")
    columns = ("device", "crusts/s", "first run / s", "off the stored numbers", "off the CPU", "")
    table = Table(*columns, title="eight crusts on every device")
    sound = not fault
    for found in examine():
        table.add_row(
            found.device,
            f"{found.members_per_second:.3g}",
            f"{found.first_run:.3g}",
            f"{found.worst_stored:.1e}",
            f"{found.worst_cpu:.1e}",
            "sound" if found.sound else f"WRONG, {found.failed} failed" if found.failed else "WRONG",
        )
        sound = sound and found.sound
    Console().print(table)
    print(f"compiled programs: {cache_state()}")
    if not sound:
        raise typer.Exit(1)
