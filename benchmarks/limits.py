"""What a step of the slide engine must compute and move, and what that allows a device at best.

    python benchmarks/limits.py --steps 1660

Counted in the traced program of one step of one lane, loops by their lengths: floating-point operations (elementwise
operations and reductions by the elements they make or take in; exponentials, logarithms, roots and divisions apart),
and the bytes that must cross a device's memory if everything within a step stays in registers: the lane's state read
and written, rows of the mass tables gathered, what is recorded. The limits are those of a program that does only this
at the published peak rates; `--rate` sets a measured rate beside them.
"""

import argparse
import math
from collections import Counter

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import ClosedJaxpr, Jaxpr

from gpucrust.engine.engines import engine_of
from gpucrust.engine.inputs import Members, Physics, Problem, Stepper, batch_members, settings_of
from gpucrust.engine.network import build_network
from gpucrust.masses import load_model
from gpucrust.sweep.plan import recorded_pressures

DEVICES = {"NVIDIA H100 SXM": (3.35e12, 34e12), "NVIDIA H200": (4.8e12, 34e12)}
"""Bytes/s and float64 operations/s, of NVIDIA's data sheets (without tensor cores)."""
DEAR = {"exp", "exp2", "log", "log1p", "sqrt", "rsqrt", "cbrt", "pow", "div", "tanh", "logistic", "rem"}
FREE = set(
    "broadcast_in_dim concatenate convert_element_type copy dynamic_slice dynamic_update_slice gather iota "
    "optimization_barrier pad reshape rev scatter slice squeeze stop_gradient transpose".split()
)
HEADER = ("device", "limit by bytes, crusts/s", "limit by operations, crusts/s", "limit, crusts/s")


def count(jaxpr: Jaxpr, times: int, counts: Counter) -> None:
    """Add what a program does, `times` over: plain and dear operations, and bytes gathered."""
    for equation in jaxpr.eqns:
        inner = times * equation.params.get("length", 1) if equation.primitive.name == "scan" else times
        programs = [p for p in jax.tree.leaves(list(equation.params.values()), is_leaf=_is_program) if _is_program(p)]
        for program in programs:
            count(getattr(program, "jaxpr", program), inner, counts)
        made = sum(math.prod(x.aval.shape) for x in equation.outvars)
        name = equation.primitive.name
        if name == "gather":
            counts["bytes gathered"] += times * sum(
                math.prod(x.aval.shape) * x.aval.dtype.itemsize for x in equation.outvars
            )
        if programs or name in FREE:
            continue
        if name.startswith(("reduce_", "cum", "arg")):
            made = math.prod(equation.invars[0].aval.shape)
        counts["dear" if name in DEAR else "plain"] += times * made


def _is_program(value: object) -> bool:
    return isinstance(value, Jaxpr | ClosedJaxpr)


def main(arguments: list[str] | None = None) -> list[dict[str, float | str]]:
    """Print counts and limits; returns the rows of the limits."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=float, default=1660, help="of a crust, by benchmarks/ensemble.py")
    parser.add_argument("--slots", type=int, default=16)
    parser.add_argument("--dear", type=float, default=20, help="plain operations that a dear one costs")
    parser.add_argument("--rate", type=float, help="measured crusts/s, to hold against the limits")
    options = parser.parse_args(arguments)
    with jax.enable_x64(True):
        stepper = Stepper(slots=options.slots)
        model, pressures = load_model("FRDM95+DZ31"), recorded_pressures(1e27, 3e31, 0.01)
        problem = Problem([model], [{(26, 30): 1.0}], pressures, Physics(), stepper)
        network = build_network(problem.models, pressures, pycnonuclear=True)
        one = Members(*(np.zeros(1, int) for _ in range(2)), np.zeros(1), np.zeros(1, int), np.full(1, 6e18))
        member = jax.tree.map(lambda x: jnp.asarray(x)[0], batch_members(one, problem))
        engine = engine_of(problem.physics, problem.stepper)
        settings = settings_of(problem.physics, stepper, engine)
        state = engine.init(member, network, settings)
        program = jax.make_jaxpr(engine.step)(state, member, network, settings)
    counts: Counter = Counter()
    count(program.jaxpr, 1, counts)
    size = sum(np.asarray(x).nbytes for x in jax.tree.leaves(state))
    recorded = 10 * 8 * len(pressures) / options.steps
    moved = 2 * size + counts["bytes gathered"] + recorded
    work = counts["plain"] + options.dear * counts["dear"]
    print(f"a step of a lane: {counts['plain']} plain operations, {counts['dear']} dear ones, {work:.3g} in all;")
    print(f"{moved:.0f} bytes: twice {size} of state, {counts['bytes gathered']} gathered, {recorded:.0f} recorded")
    steps = options.steps
    print(f"a crust of {steps:.0f} steps: {work * steps:.3g} operations, {moved * steps:.3g} bytes")
    rows: list[dict[str, float | str]] = []
    for device, (bytes_a_second, operations_a_second) in DEVICES.items():
        by_bytes, by_work = bytes_a_second / (moved * options.steps), operations_a_second / (work * options.steps)
        rows.append(dict(zip(HEADER, (device, by_bytes, by_work, min(by_bytes, by_work)), strict=True)))
        if options.rate:
            rows[-1]["measured is below by"] = min(by_bytes, by_work) / options.rate
    for row in rows:
        print("; ".join(f"{name} {v:.3g}" if isinstance(v, float) else str(v) for name, v in row.items()))
    return rows


if __name__ == "__main__":
    main()
