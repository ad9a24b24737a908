"""What derivatives cost, in units of the replay they are derivatives of, in the same run.

    python benchmarks/sensitivity.py --members 1 8 32

The work unit: one 56Fe crust, FRDM95+DZ31, policy mixed, 1e27 to 3e31 dyn cm^-2, pressures recorded every 0.01 in ln P.
`forward` is a replay with all outputs; `reverse` the same with the gradient of one output with respect to all 9,821
masses of the chart and everything else; `tangent` the same with the change of all outputs along one direction. Times
are of later calls, when everything is compiled; the first call's excess is given.
"""

import argparse
import time
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from gpucrust.sensitivity import Crusts, crust_outputs, crusts_of
from gpucrust.sweep.config import check_sweep
from gpucrust.sweep.plan import make_plan

HEADER = ("what", "device", "members", "steps", "ms/member", "ratio", "compile s")
REPEAT = 7


def crusts_for(P_end: float) -> Crusts:
    """One crust."""
    sweep = {
        "axes": {"mass_model": ["FRDM95+DZ31"]},
        "physics": {"policy": "mixed"},
        "stepper": {"P_end": P_end},
    }
    return crusts_of(make_plan(check_sweep(sweep)))[0]


def seconds_of(function, *arguments) -> tuple[float, float]:
    """Best time of a call, and the first call's excess."""
    times = []
    for _ in range(REPEAT):
        start = time.perf_counter()
        jax.block_until_ready(function(*arguments))
        times.append(time.perf_counter() - start)
    return min(times[1:]), times[0] - min(times[1:])


def main(arguments: list[str] | None = None) -> list[dict[str, float | str]]:
    """Print the table; returns its rows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--members", type=int, nargs="+", default=[1, 8, 32])
    parser.add_argument("--P-end", type=float, default=3e31, help="dyn cm^-2; smaller for a quick look")
    options = parser.parse_args(arguments)
    rows: list[dict[str, float | str]] = []
    with jax.enable_x64(True):
        one = crusts_for(options.P_end)
        device = jax.local_devices()[0].device_kind
        for n in options.members:
            many = jax.tree.map(lambda x, n=n: jnp.repeat(x, n, axis=0), (one.steps, one.structure, one.parameters))
            E = many[2].E + 1e-6 * np.random.default_rng(0).standard_normal(many[2].E.shape)
            steps, structure, parameters = many[0], many[1], many[2]._replace(E=E)

            def forward(s, t, p):
                return jax.vmap(crust_outputs)(s, t, p)

            def heat(p, s, t):
                return crust_outputs(s, t, p).total_heat

            def reverse(s, t, p):
                return jax.vmap(jax.value_and_grad(heat))(p, s, t)

            def tangent(s, t, p):
                along = jax.tree.map(jnp.ones_like, p)
                push = lambda s, t, p, v: jax.jvp(partial(crust_outputs, s, t), (p,), (v,))  # noqa: E731
                return jax.vmap(push)(s, t, p, along)

            base = None
            for what, function in (("forward", forward), ("reverse", reverse), ("tangent", tangent)):
                took, compiling = seconds_of(jax.jit(function), steps, structure, parameters)
                base = base or took
                values = (what, device, n, len(one.tapes[0].P), 1e3 * took / n, took / base, compiling)
                rows.append(dict(zip(HEADER, values, strict=True)))
    print(" | ".join(HEADER))
    for row in rows:
        print(" | ".join(f"{v:.4g}" if isinstance(v, int | float) else v for v in row.values()), flush=True)
    return rows


if __name__ == "__main__":
    main()
