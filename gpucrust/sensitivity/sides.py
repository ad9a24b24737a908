"""A replayed crust on both sides of every step: composition, slopes of mu_e, fluxes of neutrons, heat.

Slopes of mu_e are exact, from the state: along the marginal reaction where a step slides, else at frozen composition.

Units: MeV, fm, per baryon, unless stated.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from gpucrust.constants import DYN_PER_CM2, RHO_PER_N_B
from gpucrust.engine.slide.record import Amount, Move
from gpucrust.nuclide import nuclide_Z
from gpucrust.physics import diffusion, eos, reactions
from gpucrust.physics.potentials import Potentials, Sums, potentials_of
from gpucrust.physics.slopes import nodiff_slope
from gpucrust.sensitivity.parameters import Parameters
from gpucrust.sensitivity.replay import Path, Steps, before, whole_nets
from gpucrust.sensitivity.tape import Net, Tape
from gpucrust.sensitivity.thresholds import Threshold, energy_change, sums_along, threshold_value
from gpucrust.support.precision import needs_x64

CM_PER_M = 100


class State(NamedTuple):
    """The state of matter at one place, or on one side of every step."""

    P: Array
    """(...,) pressure, MeV fm^-3."""
    n_b: Array
    """(...,) baryon density, fm^-3."""
    Y: Array
    """(..., slots) nuclei per baryon."""
    Y_n: Array
    """(...,) free neutrons per baryon."""


class Side(NamedTuple):
    """The crust at the start of every step, or at the end of every step; a pytree of arrays."""

    P: Array
    """(steps,) pressure, MeV fm^-3."""
    n_b: Array
    """(steps,) baryon density, fm^-3."""
    sums: Sums
    """(steps,) each: sums over the composition."""
    R: Array
    """(steps,) slope of mu_e(P) along the step over that in diffusion equilibrium (CS20 eq. 7)."""


class Sides(NamedTuple):
    """The crust on both sides of every step."""

    start: Side
    """At the start of every step."""
    end: Side
    """At the end of every step."""


def slope_along(step: Tape, trigger: Threshold, dE: Array, here: State, net: Net, parameters: Parameters) -> Array:
    """dmu_e/dP of one step at one place, fm^3: along its marginal trigger, else at frozen composition.

    With x = ln n_b and D the amount of the net, mu_e, P and the trigger's threshold value phi are functions of (x, D);
    dP = P_x dx + P_D dD, and dphi = 0 while the trigger is marginal, dD = 0 while nothing reacts.
    """

    Z = nuclide_Z(step.nuclide)

    def nearby(xD: Array) -> Array:
        x, D = xD
        Y, n_b = here.Y + D * net.Y, here.n_b * jnp.exp(x)
        sums = sums_along(Z, Y, here.Y_n + D * net.Y_n)
        P = eos.pressure(n_b, sums.mixture, parameters.matter)
        mu_e = eos.electron_chemical_potential(n_b * sums.Y_e)
        return jnp.stack([mu_e, P, threshold_value(trigger, dE, n_b, P, Y, sums, parameters)])

    (mu_x, mu_D), (P_x, P_D), (phi_x, phi_D) = jax.jacfwd(nearby)(jnp.zeros(2))
    # where the first neutrons appear, mu_n is infinitely steep: the slope is the frozen one
    slides = ((step.amount == Amount.MARGINAL) | (step.move == Move.STOCK)) & ((here.Y_n > 0) | (net.Y_n == 0))
    determinant = P_x * phi_D - P_D * phi_x
    slides = slides & (determinant != 0)
    along = (mu_x * phi_D - mu_D * phi_x) / jnp.where(slides, determinant, 1.0)
    return jnp.where(slides, along, mu_x / P_x)


def sides_of(steps: Steps, path: Path, parameters: Parameters) -> Sides:
    """The crust at the start and at the end of every step of a replay."""
    tape, Z = steps.tape, nuclide_Z(steps.tape.nuclide)
    end = State(path.P, path.n_b, path.Y, path.Y_n)
    start = jax.tree.map(before, end)
    of_step = tape, steps.trigger, energy_change(steps.trigger, parameters), whole_nets(tape, path.Y, path.Y_n)
    # both sides in one call: half the program to compile
    here = jax.tree.map(lambda *both: jnp.concatenate(both), start, end)
    step, trigger, dE, net = jax.tree.map(lambda x: jnp.concatenate([x, x]), of_step)
    slope = jax.vmap(slope_along, in_axes=(0, 0, 0, 0, 0, None))(step, trigger, dE, here, net, parameters)
    sums = sums_along(jnp.concatenate([Z, Z]), here.Y, here.Y_n)
    R = slope / nodiff_slope(here.n_b, sums.mixture, parameters.matter)
    both, n = Side(here.P, here.n_b, sums, R), len(path.P)
    return Sides(jax.tree.map(lambda x: x[:n], both), jax.tree.map(lambda x: x[n:], both))


@needs_x64
@jax.jit
def recorded_sides(steps: Steps, parameters: Parameters) -> Sides:
    """Both sides of every step as on the tape, without a replay."""
    tape = steps.tape
    return sides_of(steps, Path(tape.Y, tape.Y_n, tape.n_b, tape.P, tape.d), parameters)


def potentials_along(side: Side, parameters: Parameters) -> Potentials:
    """Potentials on one side of every step, (steps,) each."""
    return potentials_of(side.n_b, side.sums, parameters.matter)


def heat_of_steps(steps: Steps, path: Path, sides: Sides, parameters: Parameters) -> Array:
    """Gibbs energy released by every step, MeV per baryon: (steps,).

    -d sum_i net_i (E_i + Z_i mu_e + Z_i^(5/3) ell) - d net_n mu_n, at the mean of the potentials before and after.
    """
    tape = steps.tape
    net, Z = whole_nets(tape, path.Y, path.Y_n), nuclide_Z(tape.nuclide)
    both = (potentials_along(side, parameters) for side in sides)
    mean = Potentials(*((a + b) / 2 for a, b in zip(*both, strict=True)))
    per_nucleus = (
        jnp.asarray(parameters.E)[tape.nuclide] + Z * mean.mu_e[:, None] + reactions.z53(Z) * mean.ell[:, None]
    )
    of_nuclei = jnp.sum(jnp.where(net.Y != 0, net.Y * per_nucleus, 0.0), -1)
    return -path.d * (of_nuclei + net.Y_n * mean.mu_n)


def flux_ratio(side: Side, parameters: Parameters) -> Array:
    """J_n/J_acc: flux of neutrons (CS20 eq. 10) over that of accretion; (steps,)."""
    sums = side.sums
    J_n = diffusion.neutron_flux((1 - sums.Y_n) / sums.Y, parameters.g, side.n_b * RHO_PER_N_B * sums.Y_n, side.R)
    return J_n / diffusion.accretion_flux(parameters.mdot)


def thickness_per_ln_P(side: Side, parameters: Parameters) -> Array:
    """P/(rho g), m: (steps,)."""
    return side.P * DYN_PER_CM2 / (side.n_b * RHO_PER_N_B * parameters.g) / CM_PER_M
