"""What is given to evolve an ensemble: members, rules, accuracy; and all of it as arrays for the device."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from gpucrust.constants import DYN_PER_CM2, NEUTRON_MATTER
from gpucrust.engine.interface import Engine, Member, Settings
from gpucrust.engine.network import MassErrors, member_key
from gpucrust.masses import MassModel
from gpucrust.nuclide import Z_MAX, nuclide_code
from gpucrust.physics.eos import Matter


@dataclass(frozen=True)
class Members:
    """The members of an ensemble, one entry per distinct evolution: arrays of one length."""

    model: np.ndarray
    """Index of the mass model."""
    ash: np.ndarray
    """Index of the ash."""
    pycno_log10_scale: np.ndarray
    """log10 of the factor on all fusion rates."""
    sample: np.ndarray
    """Number of the draw of mass errors; 0 is the unperturbed member."""
    g_mdot: np.ndarray
    """g times mdot, dyn cm^-2 s^-1."""


@dataclass(frozen=True)
class Physics:
    """Rules shared by all members; `[physics]` and `[perturbation]` of a sweep file."""

    pycno: bool = True
    """Whether nuclei fuse."""
    t_weak: float = 1.0
    """Burn time below which a fusion goes before electron captures, s."""
    lattice: bool = False
    """Whether the lattice energy counts."""
    neutron_eos: str = "mackie-baym"
    """Neutron matter, a name in `eos.NEUTRON_MATTER`."""
    neutrino_fraction: float = 0.0
    """Part of the Gibbs energy of electron captures that neutrinos take."""
    one_component: bool = False
    """Whether all nuclei convert together (Haensel & Zdunik 1990)."""
    fusion_density: tuple[tuple[int, float], ...] = ()
    """Charge numbers, and the density in g cm^-3 from which two such nuclei fuse, if not by burn time."""
    sigma: float = 0.0
    """Standard deviation of the errors of theory masses of samples other than 0, MeV."""
    seed: int = 0
    """Seed of these errors."""


@dataclass(frozen=True)
class Stepper:
    """`[stepper]` of a sweep file, and what to record."""

    chunk: float = 0.002
    """Largest amount of one reaction of the chunk engine, as a part of all nuclei of the ash."""
    slots: int = 16
    """Nuclides at a time for which there is room."""
    max_steps: int = 0
    """Largest number of micro-steps of a member; 0 for a limit that no crust has come near."""
    composition: bool = False
    """Whether compositions are recorded at every pressure."""
    trace: int = 0
    """Reactions of each member for which there is room in its trace; 0 for no trace."""
    record: int = 0
    """Steps of each member for which there is room in its record, of the slide engine; 0 for no record."""
    engine: str = "slide"
    """A name in `gpucrust.engine.engines.ENGINES`."""
    step: float = 0.01
    """Longest move of the slide engine, in ln P."""
    landed: float = 5e-6
    """How near moves of the slide engine end to where anything changes, in ln P."""


@dataclass(frozen=True)
class Problem:
    """What all members of an ensemble share, and are evolved by."""

    models: Sequence[MassModel]
    """Mass models, all of one policy."""
    ashes: Sequence[Mapping[tuple[int, int], float]]
    """Mass fractions by (Z, N) of each ash."""
    pressures: np.ndarray
    """(n,) increasing pressures to record, dyn cm^-2; members go from the first to the last."""
    physics: Physics = Physics()
    """Rules."""
    stepper: Stepper = Stepper()
    """Accuracy, and what to record."""


def batch_members(members: Members, problem: Problem) -> Member:
    """The members as arrays for the device, batched along the first axis.

    Raises ValueError if an ash has more nuclides than there are slots.
    """
    ashes, physics, stepper = problem.ashes, problem.physics, problem.stepper
    nuclide = np.zeros((len(ashes), stepper.slots), dtype=np.int64)
    Y = np.zeros((len(ashes), stepper.slots))
    for row, ash in enumerate(ashes):
        if len(ash) > stepper.slots:
            raise ValueError(f"an ash has {len(ash)} nuclides but stepper.slots is {stepper.slots}")
        total = sum(ash.values())
        for slot, ((Z, N), fraction) in enumerate(ash.items()):
            nuclide[row, slot] = int(nuclide_code(Z, N))
            Y[row, slot] = fraction / total / (Z + N)
    errors = None
    if physics.sigma > 0 and np.any(members.sample > 0):
        keys = jax.vmap(lambda sample: member_key(physics.seed, sample))(jnp.asarray(members.sample))
        errors = MassErrors(keys, jnp.where(jnp.asarray(members.sample) > 0, physics.sigma, 0.0))
    return Member(
        model=jnp.asarray(members.model),
        errors=errors,
        ln_rate_scale=jnp.asarray(members.pycno_log10_scale * np.log(10.0)),
        g_mdot=jnp.asarray(members.g_mdot / DYN_PER_CM2),
        nuclide=jnp.asarray(nuclide[members.ash]),
        Y=jnp.asarray(Y[members.ash]),
        chunk=jnp.asarray(stepper.chunk * Y.sum(axis=1)[members.ash]),
    )


def matter_of(physics: Physics) -> Matter:
    """What the equation of state depends on, as arrays for the device."""
    return Matter(jnp.array(NEUTRON_MATTER[physics.neutron_eos]), jnp.array(float(physics.lattice)))


def settings_of(physics: Physics, stepper: Stepper, engine: Engine) -> Settings:
    """Rules and accuracy as arrays for the device."""
    density = np.full(Z_MAX + 1, np.inf)
    for Z, rho in physics.fusion_density:
        density[Z] = rho
    return Settings(
        matter=matter_of(physics),
        t_weak=jnp.array(physics.t_weak),
        neutrino_fraction=jnp.array(physics.neutrino_fraction),
        max_steps=jnp.array(stepper.max_steps or engine.step_limit(stepper.step)),
        dlnP=jnp.array(stepper.step),
        landed=jnp.array(stepper.landed),
        fusion_density=jnp.array(density) if physics.fusion_density else None,
    )
