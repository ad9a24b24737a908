"""What `gpucrust run --dry-run` tells: what would be computed, and what it costs."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from gpucrust.cli.progress import Reporting

if TYPE_CHECKING:
    from gpucrust.jobs.costs import Calibration
    from gpucrust.sweep.plan import Plan
    from gpucrust.sweep.portions import Portions

SHOWN_VALUES = 6
"""Values of an axis beyond which its ends alone are shown."""


def tell_costs(plan: "Plan", portions: "Portions", target: Path, processes: int, report: Reporting) -> None:
    """Axes, members, evolutions and portions; memory and disk, which must be there; time."""
    from gpucrust.jobs import costs

    axes = axis_values(plan)
    memory, disk = costs.working_memory(plan, portions) * processes, costs.disk(plan, portions)
    counts = (
        f"{plan.n_members} members, {plan.n_evolutions} distinct evolutions, {len(plan.pressures)} pressures; "
        f"{len(portions)} chunks of {min(portions.size, portions.n)}"
    )
    there = costs.free_memory(), costs.free_disk(target.parent)
    foretold = {
        "memory": f"about {costs.size(memory)} of {costs.size(there[0])} free",
        "disk": f"about {costs.size(disk)} of {costs.size(there[1])} free",
    }
    report.plan({**{name: shown(values) for name, values in axes.items()}, "": counts, **foretold}, {})
    costs.check_disk(plan, portions, target.parent)
    costs.check_memory(plan, portions, processes)
    seconds, text = foretold_time(plan, costs.calibrate(plan, portions), processes)
    report.plan(
        {"time": text},
        {
            "axes": {name: len(values) for name, values in axes.items()},
            "members": plan.n_members,
            "evolutions": plan.n_evolutions,
            "pressures": len(plan.pressures),
            "chunks": len(portions),
            "evolutions_in_a_chunk": portions.size,
            "memory_bytes": memory,
            "disk_bytes": disk,
            "seconds": seconds,
        },
    )


def axis_values(plan: "Plan") -> dict[str, Sequence[str | float]]:
    """The values of every axis of a plan."""
    from gpucrust.schema import AXES

    axes = plan.sweep.axes
    values: dict[str, Sequence[str | float]] = {
        "mass_model": [model.name for model in plan.models],
        "sample": range(axes.sample),
    }
    return {name: values[name] if name in values else getattr(axes, name) for name in AXES}


def shown(values: Sequence[str | float]) -> str:
    """How many values an axis has, and which."""
    texts = [v if isinstance(v, str) else f"{v:g}" for v in values]
    return f"{len(texts)}: " + (", ".join(texts) if len(texts) <= SHOWN_VALUES else f"{texts[0]} to {texts[-1]}")


def foretold_time(plan: "Plan", speed: "Calibration", processes: int) -> tuple[float | None, str]:
    """Seconds that a plan will take, None where nothing can be foretold; and the same for people."""
    rate = speed.evolutions_per_second
    if rate <= 0:
        return None, "more than can be foretold: no evolution came any further"
    seconds = plan.n_evolutions / rate / processes + speed.compile_seconds
    bound = "" if speed.whole else ", by the beginning of some"
    return seconds, f"about {duration(seconds)} ({rate:.3g} evolutions/s a process{bound})"


def duration(seconds: float) -> str:
    """A time for people, in days, hours, minutes or seconds."""
    for unit, length in (("days", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.3g} {unit}"
    return f"{seconds:.2g} s"
