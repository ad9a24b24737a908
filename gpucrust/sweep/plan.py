"""What a sweep will compute and what that costs, known before anything runs.

Members with the same composition share one evolution: composition depends on mass model, ash, fusion scale, sample and
the product of g and mdot, and without fusion on mass model, ash and sample alone. Evolutions and members are numbered
by the product of their axes, last fastest, so that a plan of 10^8 of them holds no list.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from functools import cached_property
from pathlib import Path
from typing import TypeVar

import numpy as np
from pydantic import BaseModel

from gpucrust.engine.inputs import Members, Physics, Problem, Stepper
from gpucrust.engine.sizes import LANE_GROUP
from gpucrust.masses import MassModel, MissingTableError, load_model
from gpucrust.nuclide import ELEMENTS
from gpucrust.schema import LAYER, LAYERS, MEMBERS, PROFILES, ArrayOf, reduced_arrays
from gpucrust.sweep.config import Sweep
from gpucrust.sweep.errors import SweepError
from gpucrust.sweep.portions import Block, Portions, blocks

MOST_MEMBERS = 2**40
"""Members of a sweep, at most."""
MOST_PAIRS = 2**24
"""Pairs of g and mdot, at most: their products are held in a list."""
LEAST_PORTION, MOST_PORTION = 64, 8192
"""Bounds of the evolutions in a portion: so many that its files cost little beside them, and few enough to lose."""
PORTIONS, PORTION_BYTES = 64, 2**29
"""A sweep is cut into about this many portions, within those bounds, of at most so many bytes."""
STREAM = 2**18
"""Evolutions that a process goes through without a pause, portion after portion: several times as many as the lanes of
any device, so that few lanes wait at the end. Nothing but that depends on it."""
BLOCK_BYTES = 2**27
"""Bytes of the members that are put into the dataset at a time."""
TYPICAL_LAYERS, TYPICAL_NUCLIDES = 40, 100
"""Layers of a member, and nuclides in the compositions of a sweep, by which bytes are foretold."""

T = TypeVar("T", Physics, Stepper)


@dataclass(frozen=True)
class Plan:
    """What a sweep computes."""

    sweep: Sweep
    """What was asked for."""
    models: list[MassModel]
    """Mass models, without those that are left out."""
    left_out: list[str]
    """Sentences on optional mass models without a table."""
    pressures: np.ndarray
    """(n,) recorded pressures, increasing, dyn cm^-2."""
    products: np.ndarray
    """(products,) distinct g mdot, dyn cm^-2 s^-1."""
    product_of: np.ndarray
    """(g, mdot) index into products."""

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
        """Rules shared by all members: the sections `[physics]` and `[perturbation]`."""
        rules = self.sweep.physics
        fusion_density = tuple((ELEMENTS.index(name), rho) for name, rho in rules.fusion_density.items())
        return replace(_as(Physics, rules, self.sweep.perturbation), fusion_density=fusion_density)

    @property
    def stepper(self) -> Stepper:
        """Accuracy, and what to record: the sections `[stepper]` and `[output]`."""
        return _as(Stepper, self.sweep.stepper, self.sweep.output)

    @property
    def problem(self) -> Problem:
        """What all its evolutions share."""
        return Problem(self.models, self.sweep.ash_fractions(), self.pressures, self.physics, self.stepper)

    def blocks(self) -> Iterator[Block]:
        """All members in blocks of about BLOCK_BYTES, in order; they depend on nothing but the sweep."""
        return blocks(self.shape, max(1, BLOCK_BYTES // self.member_bytes))

    @property
    def member_bytes(self) -> int:
        """Bytes of a member in the dataset, uncompressed; profiles are computed as eight bytes each."""
        output = self.sweep.output
        layers = sum(v.nbytes for v in LAYERS.values() if v.dims == ("layer",))
        points = 8 * (len(PROFILES) * output.profiles + TYPICAL_NUCLIDES * output.composition)
        return sum(v.nbytes for v in MEMBERS.values()) + TYPICAL_LAYERS * layers + points * len(self.pressures)

    @property
    def reduced_arrays(self) -> dict[str, ArrayOf]:
        """Arrays that are kept of an evolution, but for its layers."""
        slots, output = self.sweep.stepper.slots, self.sweep.output
        return reduced_arrays(len(self.pressures), slots, profiles=output.profiles, composition=output.composition)

    @property
    def evolution_bytes(self) -> int:
        """Bytes of an evolution in a store, uncompressed."""
        return sum(array.nbytes for array in self.reduced_arrays.values()) + TYPICAL_LAYERS * LAYER.nbytes


def _as(kind: type[T], *sections: BaseModel) -> T:
    """A dataclass of the engine, its fields from the keys of the same names of sections; others keep their defaults."""
    given = {key: value for section in sections for key, value in section}
    return kind(**{field.name: given[field.name] for field in fields(kind) if field.name in given})


def make_portions(plan: Plan, save_every: int | None = None) -> Portions:
    """Portions of `save_every` evolutions, rounded up to a power of two from 8; by default by the sweep's size.

    Results do not depend on it, and it does not depend on the machine.
    """
    most = min(MOST_PORTION, max(LANE_GROUP, 1 << (PORTION_BYTES // plan.evolution_bytes).bit_length() - 1))
    wanted = min(save_every or min(max(plan.n_evolutions // PORTIONS, LEAST_PORTION), most), plan.n_evolutions)
    return Portions(plan.n_evolutions, max(LANE_GROUP, 1 << (wanted - 1).bit_length()))


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
