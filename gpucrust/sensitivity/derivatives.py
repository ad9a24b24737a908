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

from gpucrust.sensitivity.margins import Climate, Margins, find_margins
from gpucrust.sensitivity.outputs import Outputs, Side, Structure, find_sides, find_structure, outputs_of
from gpucrust.sensitivity.replay import Parameters, Steps, potentials, prepare
from gpucrust.sensitivity.tape import Record, sequence_hash, stack_records
from gpucrust.support.precision import needs_x64

MEMBERS_AT_A_TIME = 32


class Linearized(NamedTuple):
    """A crust near one set of parameters."""

    outputs: Outputs
    jvp: Callable[[Parameters], Outputs]
    """Change of the outputs by a change of the parameters."""
    vjp: Callable[[Outputs], Parameters]
    """Gradient, with respect to all parameters, of the sum of outputs weighted by the argument."""


@dataclass(frozen=True)
class Crusts:
    """Members with their sequences, ready for derivatives; pytrees with a leading member axis."""

    steps: Steps
    structure: Structure
    parameters: Parameters
    records: list[Record]
    """As made, not padded."""

    def __len__(self) -> int:
        return len(self.records)

    def member(self, i: int) -> tuple[Steps, Structure, Parameters]:
        """One member, as `linearize` takes it."""
        return jax.tree.map(lambda x: x[i], (self.steps, self.structure, self.parameters))

    @cached_property
    def hashes(self) -> list[str]:
        """`sequence_hash` of every member."""
        return [sequence_hash(record) for record in self.records]

    @cached_property
    def margins(self) -> list[Margins]:
        """Margins of every member."""
        found = []
        for i, record in enumerate(self.records):
            steps, _, parameters = self.member(i)
            n = len(np.asarray(record.P))
            sides = find_sides(steps, parameters)
            before, after = (_climate(side, parameters, n) for side in sides)
            E = np.asarray(parameters.E)
            found.append(find_margins(record, np.where(E == NO_MASS, np.nan, E), before, after))
        return found


NO_MASS = 0.0
"""E of a code without a mass: no step refers to it."""


def _climate(side: Side, parameters: Parameters, n: int) -> Climate:
    values = potentials(side.n_b, side.mixture, parameters.matter)
    return Climate(*(np.asarray(x)[:n] for x in values))


@needs_x64
def make_crusts(records: Sequence[Record], parameters: Sequence[Parameters], layer_cut: float = 1.0) -> Crusts:
    """Crusts from the records of their steps and the parameters they were made with. layer_cut: m."""
    stacked = stack_records(records)
    steps, structures = [], []
    for i, own in enumerate(parameters):
        record = Record(*(x[i] for x in stacked))
        made = prepare(record, own)
        start, end = find_sides(made, own)
        structures.append(find_structure(record, start, end, layer_cut, own))
        steps.append(made)

    def stack(*values: Any) -> Array:
        return jnp.stack([jnp.asarray(x) for x in values])

    return Crusts(
        jax.tree.map(stack, *steps),
        jax.tree.map(stack, *structures),
        jax.tree.map(stack, *parameters),
        list(records),
    )


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
        return jax.jvp(function, (parameters,), (jax.tree.map(jnp.asarray, tangent),))[1]

    def vjp(cotangent: Outputs) -> Parameters:
        return pullback(jax.tree.map(jnp.asarray, cotangent))[0]

    return Linearized(outputs, jvp, vjp)


def flat(outputs: Outputs) -> Array:
    """All outputs of one crust in a row, as `Selection.index` counts them."""
    return jnp.concatenate([jnp.ravel(x) for x in outputs])


class Derivatives(NamedTuple):
    """Of an ensemble: values (members, outputs), gradients the same with what follows of each of Parameters."""

    values: np.ndarray
    gradients: Parameters


@needs_x64
def derivatives(crusts: Crusts, index: np.ndarray) -> Derivatives:
    """Chosen outputs and their derivatives with respect to all parameters, in reverse mode.

    index: (members, outputs) places in `flat`; -1 for an output that a member does not have (NaN). One program takes
    the members side by side, MEMBERS_AT_A_TIME of them, and one output after the other.
    """
    values, rows = [], []
    for first in range(0, len(crusts), MEMBERS_AT_A_TIME):
        some = slice(first, first + MEMBERS_AT_A_TIME)
        own = jax.tree.map(lambda x, some=some: x[some], (crusts.steps, crusts.structure, crusts.parameters))
        found = [jax.tree.map(np.asarray, _gradients(*own, jnp.asarray(column))) for column in index[some].T]
        value, row = jax.tree.map(lambda *x: np.stack(x, axis=1), *found)
        values.append(value)
        rows.append(row)
    return Derivatives(np.concatenate(values), jax.tree.map(lambda *x: np.concatenate(x), *rows))


@jax.jit
@jax.vmap
def _gradients(steps: Steps, structure: Structure, parameters: Parameters, place: Array) -> tuple[Array, Parameters]:
    """One output of every member, and its gradient: a forward and a reverse pass."""

    def output(p: Parameters) -> Array:
        return jnp.where(place < 0, jnp.nan, flat(outputs_of(steps, structure, p))[jnp.maximum(place, 0)])

    value, gradient = jax.value_and_grad(output)(parameters)
    return value, jax.tree.map(lambda x: jnp.where(place < 0, jnp.nan, x), gradient)
