"""Replay of a tape: the same steps for other inputs, differentiable in all of them.

A tape fixes which net went in each step, and what ended the step. What is left to find is z = (ln n_b, d, ln P) after
it, from three conditions F(z; state, parameters) = 0: the equation of state, what determines the amount d, and what
determines the pressure. `replay` is a scan over steps of a fixed length; in each, Newton iterations start at the z on
the tape and carry no derivative, and one last step

    z = z* - J^-1 F(z*; state, parameters),   J = dF/dz held constant,

has that of the implicit function theorem. In particular a threshold moves by dP*/dtheta = -(dg/dtheta)/(dg/dP).
First derivatives are exact at the fixed sequence, in forward and reverse mode; second derivatives are not.

Masses enter a scan by gathers done before it: the reverse mode for all masses of the chart costs one pass.

Units: MeV, fm, per baryon.
"""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from gpucrust.engine.slide.record import Amount, Move
from gpucrust.nuclide import nuclide_Z
from gpucrust.physics import eos
from gpucrust.sensitivity.parameters import Parameters
from gpucrust.sensitivity.tape import NONE, Event, Net, Tape
from gpucrust.sensitivity.thresholds import Threshold, energy_change, sums_along, threshold_of, threshold_value
from gpucrust.support.precision import needs_x64


class Steps(NamedTuple):
    """A tape made ready for replays; a pytree with the steps along the first axis."""

    tape: Tape
    """What was recorded."""
    trigger: Threshold
    """Threshold of the reaction that goes."""
    event: Threshold
    """Threshold of what ends the step."""
    trigger_value: Array
    """(steps,) value of the trigger's threshold after the step, on the tape."""
    event_value: Array
    """(steps,) value of the event's threshold after the step, on the tape."""
    share: Array
    """(steps,) part of the limiting stock that goes where no threshold determines the amount."""


class Path(NamedTuple):
    """States after every step."""

    Y: Array
    """(steps, slots) nuclei per baryon."""
    Y_n: Array
    """(steps,) free neutrons per baryon."""
    n_b: Array
    """(steps,) baryon density, fm^-3."""
    P: Array
    """(steps,) pressure, MeV fm^-3."""
    d: Array
    """(steps,) units of the net in the step."""


class _State(NamedTuple):
    """What a step begins with; a scan's carry."""

    Y: Array
    Y_n: Array
    ln_P: Array


class _Line(NamedTuple):
    """What a replay reads of one step; a scan's input."""

    step: Steps
    dE_trigger: Array
    """Change of energy by the trigger, MeV."""
    dE_event: Array
    """Change of energy by the event, MeV."""


def before(values: Array) -> Array:
    """Values before every step, from those after it: the first step of a tape does nothing."""
    return jnp.concatenate([values[:1], values[:-1]])


def whole_net(step: Tape, Y: Array, Y_n: Array) -> Net:
    """Net of one step from the state (Y, Y_n).

    Of two reactions that oppose each other: in the ratio that leaves mu_e and mu_n unchanged. Constant pressure leaves
    one degree of freedom; what pushes along it is the net's torque, Y_n dY_e - Y_e dY_n.
    """
    Z = nuclide_Z(step.nuclide)
    Y_e = jnp.sum(Z * Y)

    def torque(net: Net) -> Array:
        return jnp.sum(Z * net.Y) * Y_n - net.Y_n * Y_e

    second = torque(step.opposing)
    opposed = second != 0
    ratio = jnp.where(opposed, -torque(step.net) / jnp.where(opposed, second, 1.0), 0.0)
    return jax.tree.map(lambda x, y: x + ratio * y, step.net, step.opposing)


def whole_nets(tape: Tape, Y: Array, Y_n: Array) -> Net:
    """`whole_net` of all steps; Y, Y_n: after every step."""
    return jax.vmap(whole_net)(tape, before(Y), before(Y_n))


def stock_of(step: Tape, Y: Array, Y_n: Array, net: Net) -> Array:
    """Amount of the net that uses up the limiting stock of one step; 0 where none limits."""
    slot = jnp.asarray(step.limit)
    has = jnp.where(slot < 0, Y_n, Y[slot])
    uses = -jnp.where(slot < 0, net.Y_n, net.Y[slot])
    return jnp.where(uses > 0, has / jnp.where(uses > 0, uses, 1.0), 0.0)


def after(step: Tape, Y: Array, Y_n: Array, net: Net, d: Array) -> tuple[Array, Array]:
    """Abundances after d of the net; what the tape has none of is none, not a rounding error."""
    Y_after = jnp.where(jnp.asarray(step.Y) > 0, Y + d * net.Y, 0.0)
    return Y_after, jnp.where(jnp.asarray(step.Y_n) > 0, Y_n + d * net.Y_n, 0.0)


@needs_x64
@jax.jit
def prepare(tape: Tape, parameters: Parameters) -> Steps:
    """The tape of a crust, and the parameters it was recorded with, made ready for replays."""
    tape = jax.tree.map(jnp.asarray, tape)
    Y_before, Y_n_before = before(tape.Y), before(tape.Y_n)
    nets = whole_nets(tape, tape.Y, tape.Y_n)
    stock = jax.vmap(stock_of)(tape, Y_before, Y_n_before, nets)
    sums = sums_along(nuclide_Z(tape.nuclide), tape.Y, tape.Y_n)

    def ready(event: Event) -> tuple[Threshold, Array]:
        threshold = jax.vmap(threshold_of)(event, tape.nuclide, Y_before + tape.Y)
        of_step = jax.vmap(threshold_value, in_axes=(0, 0, 0, 0, 0, 0, None))
        dE = energy_change(threshold, parameters)
        return threshold, of_step(threshold, dE, tape.n_b, tape.P, tape.Y, sums, parameters)

    trigger, trigger_value = ready(Event(*tape.trigger, jnp.full_like(tape.trigger.channel, NONE)))
    event, event_value = ready(tape.event)
    used_up, bite = tape.amount == Amount.USED_UP, tape.amount == Amount.SHARE
    share = jnp.where(used_up, 1.0, jnp.where(bite, tape.d / jnp.where(bite, stock, 1.0), 0.0))
    return Steps(tape, trigger, event, trigger_value, event_value, share)


@needs_x64
@partial(jax.jit, static_argnames="iterations")
def replay(steps: Steps, parameters: Parameters, iterations: int = 0) -> Path:
    """The states after every step, with other parameters.

    iterations: of Newton's method, from the states on the tape, in every step. 0 serves for derivatives at the
    parameters of the tape; 4 find the states for masses some 0.1 MeV away. Where the replay leaves the range of its
    sequence (an abundance falls below 0) values are smooth continuations, and mean nothing.
    """
    tape = steps.tape
    lines = _Line(steps, energy_change(steps.trigger, parameters), energy_change(steps.event, parameters))

    @jax.checkpoint
    def one_step(state: _State, line: _Line) -> tuple[_State, tuple[Array, ...]]:
        return _one_step(state, line, parameters, iterations)

    start = _State(tape.Y[0], jnp.array(0.0), jnp.log(tape.P[0]))
    _, (Y, Y_n, ln_n_b, d, ln_P) = jax.lax.scan(one_step, start, lines)
    return Path(Y, Y_n, jnp.exp(ln_n_b), jnp.exp(ln_P), d)


def _one_step(state: _State, line: _Line, parameters: Parameters, iterations: int) -> tuple[_State, tuple[Array, ...]]:
    """The state after a step, and what of it goes into the Path."""
    step = line.step.tape
    net = whole_net(step, state.Y, state.Y_n)
    stock = stock_of(step, state.Y, state.Y_n, net)

    def conditions(z: Array) -> Array:
        return _conditions(z, state, net, stock, line, parameters)

    z = jnp.stack([jnp.log(step.n_b), step.d, jnp.log(step.P)])
    for last in [False] * iterations + [True]:
        z = jax.lax.stop_gradient(z)
        J = jax.lax.stop_gradient(jax.jacfwd(conditions)(z))
        z = z - _solve(J, conditions(z)) if last else z - jax.lax.stop_gradient(_solve(J, conditions(z)))
    _, d, ln_P = z
    Y, Y_n = after(step, state.Y, state.Y_n, net, d)
    return _State(Y, Y_n, ln_P), (Y, Y_n, *z)


def _conditions(z: Array, state: _State, net: Net, stock: Array, line: _Line, parameters: Parameters) -> Array:
    """What is zero at z = (ln n_b, d, ln P) after a step from a state: F of the module's docstring.

    stock: amount of the net that uses up the limiting stock.
    """
    now, step = line.step, line.step.tape
    ln_n_b, d, ln_P = z
    Y, Y_n = after(step, state.Y, state.Y_n, net, d)
    sums, n_b, P = sums_along(nuclide_Z(step.nuclide), Y, Y_n), jnp.exp(ln_n_b), jnp.exp(ln_P)
    there = n_b, P, Y, sums, parameters
    trigger = threshold_value(now.trigger, line.dE_trigger, *there) - now.trigger_value
    event = threshold_value(now.event, line.dE_event, *there) - now.event_value
    of_state = jnp.log(eos.pressure(n_b, sums.mixture, parameters.matter)) - ln_P
    of_amount = jnp.where(step.amount == Amount.MARGINAL, trigger, d - now.share * stock)
    of_move = {
        Move.BURN: ln_P - state.ln_P,
        Move.GIVEN: ln_P - jnp.log(step.P),
        Move.EVENT: event,
        Move.STOCK: trigger,
    }
    chosen = jnp.select([step.move == kind for kind in of_move], list(of_move.values()))
    return jnp.stack([of_state, of_amount, chosen])


def _solve(J: Array, F: Array) -> Array:
    """J^-1 F for J (3, 3), by Cramer's rule: a library's call would cost more than the rest of a step."""
    a, b, c = J
    minors = jnp.stack([jnp.cross(b, c), jnp.cross(c, a), jnp.cross(a, b)], axis=-1)
    return minors @ F / (a @ minors[:, 0])
