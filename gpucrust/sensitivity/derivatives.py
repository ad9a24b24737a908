"""Derivatives of crusts at their fixed sequences of reactions: for one crust as functions, for ensembles as arrays.

At a fixed sequence every output is a smooth function of `Parameters`; `linearize` gives its value, its forward and
its reverse derivative as functions, to be used with other JAX code. `derivatives` gives those of an ensemble with
respect to everything, all masses of the chart included: one reverse pass an output. Derivatives know nothing
of other sequences; how far those are `Margins` tells.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from gpucrust.physics.potentials import Potentials
from gpucrust.sensitivity.margins import Margins, find_margins
from gpucrust.sensitivity.outputs import Outputs, outputs_of
from gpucrust.sensitivity.parameters import NO_MASS, Parameters
from gpucrust.sensitivity.replay import Steps, prepare
from gpucrust.sensitivity.sides import Side, potentials_along, recorded_sides
from gpucrust.sensitivity.structure import Structure, find_structure
from gpucrust.sensitivity.tape import NONE, Tape, sequence_hash, stack_tapes
from gpucrust.support.precision import needs_x64

MEMBERS_AT_A_TIME = 32
"""Members whose gradients one program takes side by side, which bounds memory: each has all masses of the chart."""


class Linearized(NamedTuple):
    """A crust near one set of parameters."""

    outputs: Outputs
    """The outputs there."""
    jvp: Callable[[Parameters], Outputs]
    """Change of the outputs by a change of the parameters."""
    vjp: Callable[[Outputs], Parameters]
    """Gradient, with respect to all parameters, of the sum of outputs weighted by the argument."""


class Crust(NamedTuple):
    """One member with its sequence, ready for derivatives: the arguments of `linearize`; a pytree."""

    steps: Steps
    """Its tape, made ready for replays."""
    structure: Structure
    """Where on the tape its outputs lie."""
    parameters: Parameters
    """What its tape was recorded with."""


@dataclass(frozen=True)
class Crusts:
    """Members with their sequences, ready for derivatives; pytrees with a leading member axis."""

    steps: Steps
    """Their tapes, made ready for replays."""
    structure: Structure
    """Where on the tapes their outputs lie."""
    parameters: Parameters
    """What their tapes were recorded with."""
    tapes: list[Tape]
    """Their tapes as recorded, not padded."""

    def __len__(self) -> int:
        return len(self.tapes)

    @property
    def stacked(self) -> Crust:
        """All members as one pytree, with a leading member axis."""
        return Crust(self.steps, self.structure, self.parameters)

    def member(self, i: int) -> Crust:
        """One member."""
        return jax.tree.map(lambda x: x[i], self.stacked)

    @cached_property
    def hashes(self) -> list[str]:
        """`sequence_hash` of every member."""
        return [sequence_hash(tape) for tape in self.tapes]

    @cached_property
    def margins(self) -> list[Margins]:
        """Margins of every member."""
        return [_margins_of(self.member(i), tape) for i, tape in enumerate(self.tapes)]


def _margins_of(crust: Crust, tape: Tape) -> Margins:
    """Margins of one crust; tape: its own, not padded."""
    steps, _, parameters = crust
    E = np.asarray(parameters.E)

    def along(side: Side) -> Potentials:
        return jax.tree.map(lambda x: np.asarray(x)[: len(tape.P)], potentials_along(side, parameters))

    sides = recorded_sides(steps, parameters)
    return find_margins(tape, np.where(E == NO_MASS, np.nan, E), along(sides.start), along(sides.end))


@needs_x64
def make_crusts(tapes: Sequence[Tape], parameters: Sequence[Parameters], layer_cut: float = 1.0) -> Crusts:
    """Crusts from their tapes and the parameters that those were recorded with.

    layer_cut: m; layers thinner than this are left out.
    """
    stacked = stack_tapes(tapes)
    steps, structures = [], []
    for i, own in enumerate(parameters):
        tape = jax.tree.map(lambda x, i=i: x[i], stacked)
        made = prepare(tape, own)
        structures.append(find_structure(tape, recorded_sides(made, own), layer_cut, own))
        steps.append(made)

    def stack(members: Sequence[Any]) -> Any:
        return jax.tree.map(lambda *values: jnp.stack([jnp.asarray(x) for x in values]), *members)

    return Crusts(stack(steps), stack(structures), stack(parameters), list(tapes))


@partial(jax.jit, static_argnames="iterations")
def crust_outputs(steps: Steps, structure: Structure, parameters: Parameters, iterations: int = 0) -> Outputs:
    """`outputs_of`, compiled: Outputs of one crust at its fixed sequence."""
    return outputs_of(steps, structure, parameters, iterations)


@needs_x64
def linearize(steps: Steps, structure: Structure, parameters: Parameters, iterations: int = 4) -> Linearized:
    """The outputs of one crust at `parameters`, with their derivatives as functions: (outputs, jvp, vjp).

    steps, structure: of a member of Crusts. parameters: its own or others near by; `iterations` of Newton's method in
    every step find the states there (0 will do for its own). `crust_outputs` itself may be called within jax.jit, grad
    and vmap: first derivatives, forward and reverse, are exact at the fixed sequence; second ones are not.
    """
    function = partial(crust_outputs, steps, structure, iterations=iterations)
    parameters = jax.tree.map(jnp.asarray, parameters)
    outputs, pullback = jax.vjp(function, parameters)

    def jvp(tangent: Parameters) -> Outputs:
        _, change = jax.jvp(function, (parameters,), (jax.tree.map(jnp.asarray, tangent),))
        return change

    def vjp(cotangent: Outputs) -> Parameters:
        (gradient,) = pullback(jax.tree.map(jnp.asarray, cotangent))
        return gradient

    return Linearized(outputs, jvp, vjp)


def flat(outputs: Outputs) -> Array:
    """All outputs of one crust in a row, as `Selection.places` counts them."""
    return jnp.concatenate([jnp.ravel(x) for x in outputs])


class Derivatives(NamedTuple):
    """Chosen outputs of an ensemble and their derivatives."""

    values: np.ndarray
    """(members, outputs), NaN for an output that a member does not have."""
    gradients: Parameters
    """(members, outputs, ...) with respect to each of Parameters."""


@needs_x64
def derivatives(crusts: Crusts, places: np.ndarray) -> Derivatives:
    """Chosen outputs and their derivatives with respect to all parameters, in reverse mode.

    places: (members, outputs) places in `flat`; NONE for an output that a member does not have (NaN). One program takes
    the members side by side, MEMBERS_AT_A_TIME of them, and one output after the other.
    """
    found = []
    for first in range(0, len(crusts), MEMBERS_AT_A_TIME):
        some = slice(first, first + MEMBERS_AT_A_TIME)
        own = jax.tree.map(lambda x, some=some: x[some], crusts.stacked)
        by_output = [jax.tree.map(np.asarray, _gradients(own, jnp.asarray(column))) for column in places[some].T]
        found.append(jax.tree.map(lambda *x: np.stack(x, axis=1), *by_output))
    return jax.tree.map(lambda *x: np.concatenate(x), *found)


@jax.jit
@jax.vmap
def _gradients(crust: Crust, place: Array) -> Derivatives:
    """One output of every member, and its gradient: a forward and a reverse pass."""

    def output(p: Parameters) -> Array:
        value = flat(outputs_of(crust.steps, crust.structure, p))[jnp.maximum(place, 0)]
        return jnp.where(place == NONE, jnp.nan, value)

    value, gradient = jax.value_and_grad(output)(crust.parameters)
    return Derivatives(value, jax.tree.map(lambda x: jnp.where(place == NONE, jnp.nan, x), gradient))
