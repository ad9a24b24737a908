"""What a sweep will compute and what that costs, known before anything runs.

Members with the same composition share one evolution: composition depends on mass model, ash, fusion scale, sample and
the product of g and mdot, and without fusion on mass model, ash and sample alone. Evolutions and members are numbered
by the product of their axes, last fastest, so that a plan of 10^8 of them holds no list.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from gpucrust.engine.inputs import Members, Physics, Problem, Stepper
from gpucrust.engine.sizes import LANE_GROUP
from gpucrust.masses import MassModel, MissingTableError, load_model
from gpucrust.nuclide import ELEMENTS
from gpucrust.sweep.config import Sweep, SweepError

MOST_MEMBERS, MOST_PAIRS = 2**40, 2**24  # of pairs of g and mdot a list is held
LEAST_CHUNK, MOST_CHUNK = 64, 8192
"""Evolutions in a chunk: so many that a chunk's files cost little beside them, and few enough to lose."""
CHUNKS, CHUNK_BYTES = 64, 2**29
"""A sweep is cut into about this many chunks, within those bounds, of at most so many bytes."""
STREAM = 2**18
"""Evolutions that a process goes through without a pause, chunk after chunk: several times as many as the lanes of any
device, so that few of them wait at the end. Nothing but that depends on it."""
BLOCK_BYTES = 2**27
"""Of the members that are put into the dataset at a time."""

Block = tuple[slice, ...]
"""A range of each of AXES that is contiguous in the order of members."""


@dataclass(frozen=True)
class Plan:
    """What a sweep computes."""

    sweep: Sweep
    models: list[MassModel]
    left_out: list[str]  # sentences on optional mass models without a table
    pressures: np.ndarray  # dyn cm^-2
    products: np.ndarray  # distinct g mdot, dyn cm^-2 s^-1
    product_of: np.ndarray  # (g, mdot) index into products

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of AXES."""
        a = self.sweep.axes
        return len(self.models), len(a.ash), len(a.pycno_log10_scale), a.sample, len(a.g), len(a.mdot)

    @property
    def evolution_shape(self) -> tuple[int, ...]:
        """Lengths of mass_model, ash, pycno_log10_scale, sample and g mdot, as far as a composition depends on them."""
        scales = self.shape[2] if self.sweep.physics.pycno else 1
        return *self.shape[:2], scales, self.shape[3], len(self.products)

    @property
    def n_members(self) -> int:
        """Number of members: the product of the axes."""
        return math.prod(self.shape)

    @property
    def n_evolutions(self) -> int:
        """Number of distinct evolutions."""
        return math.prod(self.evolution_shape)

    def members(self, evolutions: np.ndarray) -> Members:
        """What distinguishes evolutions, by their numbers (n,)."""
        model, ash, scale, sample, product = np.unravel_index(evolutions, self.evolution_shape)
        scales = np.asarray(self.sweep.axes.pycno_log10_scale) if self.sweep.physics.pycno else np.zeros(1)
        return Members(model, ash, scales[scale], sample, self.products[product])

    @property
    def evolutions(self) -> Members:
        """All of them."""
        return self.members(np.arange(self.n_evolutions))

    def evolutions_in(self, block: Block) -> np.ndarray:
        """Number of the evolution of every member of a block; dimensions are AXES."""
        model, ash, scale, sample, g, mdot = np.ix_(*(np.arange(n)[s] for n, s in zip(self.shape, block, strict=True)))
        if not self.sweep.physics.pycno:
            scale = np.zeros_like(scale)
        places = np.broadcast_arrays(model, ash, scale, sample, self.product_of[g, mdot])
        return np.ravel_multi_index(places, self.evolution_shape)

    @cached_property
    def evolution_of(self) -> np.ndarray:
        """(mass_model, ash, pycno_log10_scale, sample, g, mdot) number of the evolution of every member."""
        return self.evolutions_in((slice(None),) * 6)

    @property
    def physics(self) -> Physics:
        """Rules shared by all members."""
        p, perturbation = self.sweep.physics, self.sweep.perturbation
        return Physics(
            pycno=p.pycno,
            t_weak=p.t_weak,
            lattice=p.lattice,
            neutron_eos=p.neutron_eos,
            neutrino_fraction=p.neutrino_fraction,
            one_component=p.one_component,
            fusion_density=tuple((ELEMENTS.index(name), rho) for name, rho in p.fusion_density.items()),
            sigma=perturbation.sigma,
            seed=perturbation.seed,
        )

    @property
    def stepper(self) -> Stepper:
        """Accuracy, and what to record."""
        s = self.sweep.stepper
        return Stepper(
            engine=s.engine,
            step=s.step,
            chunk=s.chunk,
            slots=s.slots,
            max_steps=s.max_steps,
            composition=self.sweep.output.composition,
        )

    @property
    def problem(self) -> Problem:
        """What all its evolutions share."""
        return Problem(self.models, self.sweep.ash_fractions(), self.pressures, self.physics, self.stepper)

    def blocks(self) -> Iterator[Block]:
        """All members in blocks of about BLOCK_BYTES, in order; they depend on nothing but the sweep."""
        return blocks(self.shape, max(1, BLOCK_BYTES // self.member_bytes))

    @property
    def member_bytes(self) -> int:
        """Bytes of a member in the dataset, uncompressed: 22 profiles, layers counted as 40, nuclides as 100."""
        output = self.sweep.output
        return 1500 + 8 * (22 * output.profiles + 100 * output.composition) * len(self.pressures)

    @property
    def evolution_bytes(self) -> int:
        """Bytes of an evolution in a store, uncompressed: 19 profiles, layers counted as 40."""
        output = self.sweep.output
        points = 8 * 19 * output.profiles + 12 * self.sweep.stepper.slots * output.composition
        return 1700 + points * len(self.pressures)


def blocks(shape: tuple[int, ...], most: int) -> Iterator[Block]:
    """Blocks of at most `most` entries of an array, each contiguous in C order, which together make it up in order."""
    if math.prod(shape) <= most:
        yield tuple(slice(0, n) for n in shape)
        return
    whole = 1  # entries of one index of the first axis
    for n in shape[1:]:
        whole *= n
    if whole > most:
        for i in range(shape[0]):
            for rest in blocks(shape[1:], most):
                yield (slice(i, i + 1), *rest)
        return
    step = most // whole
    for start in range(0, shape[0], step):
        yield (slice(start, min(start + step, shape[0])), *(slice(0, n) for n in shape[1:]))


@dataclass(frozen=True)
class Chunks:
    """Evolutions that are computed, and saved, together: `size` at a time."""

    n: int
    size: int

    def __len__(self) -> int:
        return -(-self.n // self.size)

    def __getitem__(self, k: int) -> np.ndarray:
        """Numbers of the evolutions of chunk k."""
        if not 0 <= k < len(self):
            raise IndexError(k)
        return np.arange(k * self.size, min((k + 1) * self.size, self.n))


def make_chunks(plan: Plan, save_every: int | None = None) -> Chunks:
    """Chunks of `save_every` evolutions, rounded up to a power of two from 8; by default as the sweep's size suggests.

    Results do not depend on it, and it does not depend on the machine.
    """
    most = min(MOST_CHUNK, max(LANE_GROUP, 1 << (CHUNK_BYTES // plan.evolution_bytes).bit_length() - 1))
    wanted = min(save_every or min(max(plan.n_evolutions // CHUNKS, LEAST_CHUNK), most), plan.n_evolutions)
    return Chunks(plan.n_evolutions, max(LANE_GROUP, 1 << (wanted - 1).bit_length()))


def recorded_pressures(P_start: float, P_end: float, dlnP: float) -> np.ndarray:
    """Logarithmic grid from P_start to P_end with steps of at most dlnP, dyn cm^-2."""
    steps = int(np.ceil(np.log(P_end / P_start) / dlnP * (1 - 1e-12)))
    return np.geomspace(P_start, P_end, steps + 1)


def make_plan(sweep: Sweep, folder: Path = Path()) -> Plan:
    """Load the masses and find the distinct evolutions; paths of the sweep's tables are relative to `folder`.

    Raises SweepError, or the errors of `gpucrust.masses`, with one line.
    """
    a = sweep.axes
    n_members = math.prod(len(x) for x in (a.mass_model, a.ash, a.pycno_log10_scale, a.g, a.mdot)) * a.sample
    pairs = len(a.g) * len(a.mdot)
    if n_members > MOST_MEMBERS or pairs > MOST_PAIRS:
        raise SweepError(
            f"this sweep has {n_members:.3g} members and {pairs:.3g} pairs of g and mdot; "
            f"at most {MOST_MEMBERS:.2g} and {MOST_PAIRS:.2g} are possible"
        )
    models, left_out = _load_models(sweep, folder)
    product = np.multiply.outer(a.g, a.mdot)
    if not sweep.physics.pycno:
        product = np.ones_like(product)
    # equal products that rounding has set apart are one
    _, first, inverse = np.unique(np.round(np.log(product), 12), return_index=True, return_inverse=True)
    order = np.argsort(first)
    return Plan(
        sweep=sweep,
        models=models,
        left_out=left_out,
        pressures=recorded_pressures(sweep.stepper.P_start, sweep.stepper.P_end, sweep.stepper.dlnP),
        products=product.ravel()[first[order]],
        product_of=np.argsort(order)[inverse].reshape(product.shape),
    )


def _load_models(sweep: Sweep, folder: Path) -> tuple[list[MassModel], list[str]]:
    tables = {name: folder / path for name, path in sweep.masses.tables.items()}
    drop = sweep.masses.liquid_drop
    models, left_out = [], []
    for name in sweep.axes.mass_model:
        try:
            models.append(
                load_model(
                    name,
                    ame=sweep.physics.ame,
                    policy=sweep.physics.policy,
                    extra_tables=tables or None,
                    liquid_drop_constants=None if drop is None else folder / drop,
                )
            )
        except MissingTableError as error:
            if name not in sweep.optional_models:
                raise
            left_out.append(f"{name} is left out: {error}")
    if not models:
        raise SweepError("no mass model is left: " + "; ".join(left_out))
    return models, left_out
