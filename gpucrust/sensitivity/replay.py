"""Replay of a recorded crust: the same steps for other inputs, differentiable in all of them.

A record (`sensitivity.tape`) fixes which net went in each step, and what ended the step. What is left to find is
z = (ln n_b, d, ln P) after it, from three conditions F(z; state, parameters) = 0: the equation of state, what
determines the amount d, and what determines the pressure. `replay` is a scan over steps of a fixed length; in each,
Newton iterations start at the recorded z and carry no derivative, and one last step

    z = z* - J^-1 F(z*; state, parameters),   J = dF/dz held constant,

has that of the implicit function theorem. In particular a threshold moves by dP*/dtheta = -(dg/dtheta)/(dg/dP).
First derivatives are exact at the fixed sequence, in forward and reverse mode; second derivatives are not.

Masses enter a scan by gathers done before it: the reverse mode for all masses of the chart costs one pass.

Units: MeV, fm, per baryon; g and mdot in CGS.
"""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike

from gpucrust.constants import DYN_PER_CM2, NEUTRON_EXCESS
from gpucrust.engine.fusion import burn_conditions
from gpucrust.engine.slide.record import Amount, Move
from gpucrust.nuclide import N_STRIDE, nuclide_Z
from gpucrust.physics import eos, pycno, reactions
from gpucrust.physics.eos import Matter, Mixture
from gpucrust.physics.reactions import CHANNEL_DZ, CHANNEL_K, CHANNELS
from gpucrust.sensitivity.tape import PRODUCT, Record
from gpucrust.support.precision import needs_x64


class Parameters(NamedTuple):
    """What a crust depends on at a fixed sequence; a pytree of arrays."""

    E: Any  # (codes,) nuclear mass less A m_u, MeV, of the whole chart
    pycno_log10_scale: Any
    g: Any  # cm s^-2
    mdot: Any  # g cm^-2 s^-1
    neutron: Any  # (m,) coefficients of neutron matter, MeV fm^j
    lattice: Any  # strength of the lattice term

    @property
    def matter(self) -> Matter:
        """For the equation of state."""
        return Matter(jnp.asarray(self.neutron), self.lattice)


class Threshold(NamedTuple):
    """A reaction whose threshold determines a step; a pytree of scalars, or of (steps,)."""

    fusion: Array  # else a channel
    dZ: Array
    k: Array  # neutrons set free
    dz53: Array  # change of sum Z^(5/3)
    parent: Array  # code
    daughter: Array  # code
    first: Array  # slot
    second: Array  # slot
    pair: pycno.PairConstants
    ln_offset: Array  # ln 1/2 for identical nuclei


class Steps(NamedTuple):
    """A record made ready for replays; a pytree with the steps along the first axis."""

    record: Record
    trigger: Threshold
    event: Threshold
    trigger_value: Array  # recorded affinity in MeV, or ln(tau/t_acc), after the step
    event_value: Array
    share: Array  # of the limiting stock that goes where no threshold determines the amount


class Path(NamedTuple):
    """States after every step; (steps, ...)."""

    Y: Array  # (steps, slots)
    Y_n: Array
    n_b: Array
    P: Array  # MeV fm^-3
    d: Array


def threshold_of(reaction: Array, nuclide: Array, Y: Array) -> Threshold:
    """The Threshold of (parent, second parent, channel[, rival channel]), -1 for none, among slots `nuclide`."""
    first, second, channel = (reaction[i] for i in range(3))
    rival = reaction[3] if reaction.shape[0] > 3 else jnp.array(-1)
    fusion = channel == CHANNELS
    within = jnp.clip(channel, 0, CHANNELS - 1)
    dZ, k = (jnp.where(channel < 0, 0, jnp.asarray(table)[within]) for table in (CHANNEL_DZ, CHANNEL_K))
    daughter = jnp.maximum(first, 0) + dZ * N_STRIDE - dZ - k
    # of two channels that become equally urgent, the difference counts: from one daughter to the other
    rival_dZ, rival_k = (
        jnp.where(rival < 0, 0, jnp.asarray(table)[jnp.maximum(rival, 0)]) for table in (CHANNEL_DZ, CHANNEL_K)
    )
    parent = jnp.maximum(first, 0) + rival_dZ * N_STRIDE - rival_dZ - rival_k
    dZ, k = dZ - rival_dZ, k - rival_k
    product = channel == PRODUCT
    dZ, k = jnp.where(product, 0, dZ), jnp.where(product, first - second, k)
    daughter = jnp.where(product, second, daughter)
    Z1, Z2 = (nuclide_Z(jnp.maximum(code, 0)) for code in (first, second))
    A1, A2 = (Z + jnp.maximum(code, 0) % N_STRIDE for Z, code in ((Z1, first), (Z2, second)))
    # any pair that has constants stands in where there is no fusion
    Z1, A1, Z2, A2 = (jnp.where(fusion, x, other) for x, other in ((Z1, 6), (A1, 12), (Z2, 6), (A2, 12)))

    def slot_of(code: Array) -> Array:
        return jnp.argmax(jnp.where(nuclide == code, 1 + Y, 0))

    return Threshold(
        fusion=fusion,
        dZ=dZ,
        k=k,
        dz53=reactions.z53(jnp.maximum(nuclide_Z(parent) + dZ, 0)) - reactions.z53(nuclide_Z(parent)),
        parent=parent,
        daughter=daughter,
        first=slot_of(first),
        second=slot_of(second),
        pair=pycno.pair_constants(Z1, A1, Z2, A2),
        ln_offset=jnp.where(first == second, np.log(0.5), 0.0),
    )


def potentials(n_b: Array, mixture: Mixture, matter: Matter) -> tuple[Array, Array, Array]:
    """mu_e (with the lattice's share), mu_n counted from m_u, and the lattice energy per unit of Z^(5/3); MeV."""
    n_e = n_b * mixture.Y_e
    ell = reactions.lattice_chemical_potential(n_e, matter)
    mu_e = eos.electron_chemical_potential(n_e) + ell * mixture.Y_z53 / mixture.Y_e / 3
    return mu_e, NEUTRON_EXCESS + eos.neutron_chemical_potential(n_b * mixture.Y_n, matter), ell


def mixture_of(Z: Array, Y: Array, Y_n: Array) -> Mixture:
    """Sums over slots of charge numbers Z."""
    return Mixture(jnp.sum(Z * Y, -1), Y_n, jnp.sum(reactions.z53(Z) * Y, -1))


def threshold_value(
    threshold: Threshold, dE: Array, n_b: Array, P: Array, Y: Array, mixture: Mixture, parameters: Parameters
) -> Array:
    """Affinity of a channel, dE + dZ mu_e + k mu_n + d(Z^(5/3)) ell in MeV; of a fusion ln(tau/t_acc)."""
    t = threshold
    mu_e, mu_n, ell = potentials(n_b, mixture, parameters.matter)
    g = dE + t.dZ * mu_e + t.k * mu_n + t.dz53 * ell
    Y_nuclei = jnp.sum(Y)
    # a parent that is used up drops out of its burn time: what stands for its logarithm does not matter
    ln_Y = jnp.log(jnp.where(Y > 0, Y, 1e-300))
    conditions = burn_conditions(n_b, mixture, Y_nuclei)
    ln_tau = pycno.ln_burn_time(t.pair, conditions, ln_Y[t.first], ln_Y[t.second], jnp.log(Y_nuclei), n_b)
    ln_scale = jnp.asarray(parameters.pycno_log10_scale) * np.log(10.0)
    ln_t_acc = jnp.log(P * DYN_PER_CM2 / (jnp.asarray(parameters.g) * parameters.mdot))
    return jnp.where(t.fusion, ln_tau + t.ln_offset - ln_scale - ln_t_acc, g)


def energy_change(threshold: Threshold, parameters: Parameters) -> Array:
    """E(daughter) - E(parent) of a channel, MeV; 0 for a fusion, whose rate masses do not enter."""
    E = jnp.asarray(parameters.E)
    return jnp.where(threshold.fusion, 0.0, E[threshold.daughter] - E[threshold.parent])


def net_of(record: Record, Y: Array, Y_n: Array) -> tuple[Array, Array]:
    """Net of a step from the state (Y, Y_n), over slots and neutrons.

    Of two reactions that oppose each other: in the ratio that leaves mu_e and mu_n unchanged, by their torques.
    """
    Z = nuclide_Z(record.nuclide)
    Y_e = jnp.sum(Z * Y)

    def torque(net: ArrayLike, net_Y_n: ArrayLike) -> Array:
        return jnp.sum(Z * net) * Y_n - net_Y_n * Y_e

    second = torque(record.net2, record.net2_Y_n)
    opposed = second != 0
    ratio = jnp.where(opposed, -torque(record.net, record.net_Y_n) / jnp.where(opposed, second, 1.0), 0.0)
    return record.net + ratio * record.net2, record.net_Y_n + ratio * record.net2_Y_n


def stock_of(record: Record, Y: Array, Y_n: Array, net: Array, net_Y_n: Array) -> Array:
    """Amount of the net that uses up the limiting stock; 0 where none limits."""
    slot = jnp.asarray(record.limit)
    has = jnp.where(slot < 0, Y_n, Y[slot])
    uses = -jnp.where(slot < 0, net_Y_n, net[slot])
    return jnp.where(uses > 0, has / jnp.where(uses > 0, uses, 1.0), 0.0)


def after(record: Record, Y: Array, Y_n: Array, net: Array, net_Y_n: Array, d: Array) -> tuple[Array, Array]:
    """Abundances after d of the net; what the record has none of is none, not a rounding error."""
    Y_after = jnp.where(jnp.asarray(record.Y) > 0, Y + d * net, 0.0)
    return Y_after, jnp.where(jnp.asarray(record.Y_n) > 0, Y_n + d * net_Y_n, 0.0)


def _before(values: Array, first: Array) -> Array:
    """Values before every step, from those after it and those before the first."""
    return jnp.concatenate([first[None], values[:-1]])


@needs_x64
@jax.jit
def prepare(record: Record, parameters: Parameters) -> Steps:
    """The record of a crust, and the parameters it was made with, made ready for replays."""
    record = Record(*(jnp.asarray(x) for x in record))
    Y_before, Y_n_before = _before(record.Y, record.Y_start), _before(record.Y_n, jnp.array(0.0))
    nets = jax.vmap(lambda r, Y, Y_n: net_of(r, Y, Y_n), in_axes=(_BY_STEP, 0, 0))(record, Y_before, Y_n_before)
    stock = jax.vmap(stock_of, in_axes=(_BY_STEP, 0, 0, 0, 0))(record, Y_before, Y_n_before, *nets)
    mixture = mixture_of(nuclide_Z(record.nuclide), record.Y, record.Y_n)

    def ready(reaction: Array) -> tuple[Threshold, Array]:
        threshold = jax.vmap(threshold_of)(reaction, record.nuclide, Y_before + record.Y)
        of_step = jax.vmap(threshold_value, in_axes=(0, 0, 0, 0, 0, 0, None))
        dE = energy_change(threshold, parameters)
        return threshold, of_step(threshold, dE, record.n_b, record.P, record.Y, mixture, parameters)

    (trigger, trigger_value), (event, event_value) = ready(record.trigger), ready(record.event)
    used_up, bite = record.amount == Amount.USED_UP, record.amount == Amount.SHARE
    share = jnp.where(used_up, 1.0, jnp.where(bite, record.d / jnp.where(bite, stock, 1.0), 0.0))
    return Steps(record, trigger, event, trigger_value, event_value, share)


_BY_STEP = Record(*(None if name == "Y_start" else 0 for name in Record._fields))


def _solve(J: Array, F: Array) -> Array:
    """J^-1 F for J (3, 3), by Cramer's rule: a library's call would cost more than the rest of a step."""
    a, b, c = J
    minors = jnp.stack([jnp.cross(b, c), jnp.cross(c, a), jnp.cross(a, b)], axis=-1)
    return minors @ F / (a @ minors[:, 0])


@needs_x64
@partial(jax.jit, static_argnames="iterations")
def replay(steps: Steps, parameters: Parameters, iterations: int = 0) -> Path:
    """The states after every step, with other parameters.

    iterations: of Newton's method, from the recorded states, in every step. 0 serves for derivatives at the recorded
    parameters; 4 find the states for masses some 0.1 MeV away. Where the replay leaves the range of its sequence
    (an abundance falls below 0) values are smooth continuations, and mean nothing.
    """
    record = steps.record
    dE = energy_change(steps.trigger, parameters), energy_change(steps.event, parameters)

    @jax.checkpoint
    def one_step(state: tuple, line: tuple) -> tuple[tuple, tuple]:
        Y, Y_n, ln_P = state
        now, (dE_trigger, dE_event) = line
        r = now.record
        net, net_Y_n = net_of(r, Y, Y_n)
        stock = stock_of(r, Y, Y_n, net, net_Y_n)
        Z = nuclide_Z(r.nuclide)

        def conditions(z: Array) -> Array:
            x, d, p = z
            Y_then, Y_n_then = after(r, Y, Y_n, net, net_Y_n, d)
            mixture, n_b, P = mixture_of(Z, Y_then, Y_n_then), jnp.exp(x), jnp.exp(p)
            state_then = n_b, P, Y_then, mixture, parameters
            trigger = threshold_value(now.trigger, dE_trigger, *state_then) - now.trigger_value
            event = threshold_value(now.event, dE_event, *state_then) - now.event_value
            of_amount = jnp.where(r.amount == Amount.MARGINAL, trigger, d - now.share * stock)
            choices = [p - ln_P, p - jnp.log(r.P), event, trigger]
            of_move = jnp.select([r.move == kind for kind in Move], choices)
            return jnp.stack([jnp.log(eos.pressure(n_b, mixture, parameters.matter)) - p, of_amount, of_move])

        z = jnp.stack([jnp.log(r.n_b), r.d, jnp.log(r.P)])
        for last in [False] * iterations + [True]:
            z = jax.lax.stop_gradient(z)
            J = jax.lax.stop_gradient(jax.jacfwd(conditions)(z))
            z = z - _solve(J, conditions(z)) if last else z - jax.lax.stop_gradient(_solve(J, conditions(z)))
        Y_then, Y_n_then = after(r, Y, Y_n, net, net_Y_n, z[1])
        return (Y_then, Y_n_then, z[2]), (Y_then, Y_n_then, *z)

    by_step = steps._replace(record=record._replace(Y_start=jnp.zeros_like(record.P)))
    start = record.Y_start, jnp.array(0.0), jnp.log(record.P[0])
    _, (Y, Y_n, x, d, p) = jax.lax.scan(one_step, start, (by_step, dE))
    return Path(Y, Y_n, jnp.exp(x), jnp.exp(p), d)
