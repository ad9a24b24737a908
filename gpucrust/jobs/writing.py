"""Reduced evolutions, wherever they are, to the file of a result: by one writer, a block of members at a time."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import xarray as xr

from gpucrust.jobs.partial_folder import PartialFolder
from gpucrust.jobs.progress import Reporter
from gpucrust.physics.ground_state import GroundState
from gpucrust.profiles.reduced import ReducedEvolutions, concatenate, take
from gpucrust.results.dataset import member_variables, nuclides_kept, shared_variables
from gpucrust.results.files import move_into_place, write_blocks
from gpucrust.schema import AXES
from gpucrust.sweep.plan import Plan
from gpucrust.sweep.portions import Portions

READ_TOGETHER = 256
"""Difference of the numbers of two evolutions up to which they, and those between, are read from a store at once."""


class Source(Protocol):
    """All evolutions of a plan, reduced, wherever they are."""

    def read(self, first: int, last: int) -> ReducedEvolutions:
        """Evolutions first..last-1."""


@dataclass(frozen=True)
class InMemory:
    """Reduced evolutions held in memory."""

    reduced: ReducedEvolutions
    """All of them."""

    def read(self, first: int, last: int) -> ReducedEvolutions:
        """See Source."""
        return take(self.reduced, np.arange(first, last))


def write_result(
    plan: Plan, source: Source, portions: Portions, ground: list[GroundState], folder: PartialFolder, reporter: Reporter
) -> None:
    """Write the dataset of all evolutions and of the ground states, and put it in its place."""
    nuclides = None
    if plan.sweep.output.composition:
        ranges = (portions[k] for k in range(len(portions)))
        nuclides = nuclides_kept(source.read(int(x[0]), int(x[-1]) + 1) for x in ranges)
    sizes = dict(zip(AXES, plan.shape, strict=True))
    sizes |= {"pressure": len(plan.pressures), "member": plan.n_members, "layer": 0}
    if nuclides is not None:
        sizes["nuclide"] = len(nuclides)
    shared = shared_variables(plan, folder.info(), nuclides, ground)

    def parts() -> Iterator[tuple[dict[str, slice], xr.Dataset]]:
        members = layers = 0
        for block in plan.blocks():
            numbers = np.unique(plan.evolutions_in(block))
            ds = member_variables(plan, gather(source, numbers), numbers, block, nuclides)
            ends = members + ds.sizes["member"], layers + ds.sizes["layer"]
            ranges = {"member": slice(members, ends[0]), "layer": slice(layers, ends[1])}
            yield dict(zip(AXES, block, strict=True)) | ranges, ds
            members, layers = ends
            reporter.writing(members / plan.n_members)

    target = folder.target
    written = folder.path / f"written{target.suffix}"
    write_blocks(written, target.suffix, shared, sizes, parts())
    move_into_place(written, target, folder.path / "replaced")


def gather(source: Source, numbers: np.ndarray) -> ReducedEvolutions:
    """Evolutions of increasing numbers, near ones read together."""
    groups = np.split(numbers, np.flatnonzero(np.diff(numbers) > READ_TOGETHER) + 1)
    return concatenate([take(source.read(int(x[0]), int(x[-1]) + 1), x - x[0]) for x in groups])
