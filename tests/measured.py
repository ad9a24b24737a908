"""What gpucrust gives for the numbers in `published`; `python tests/measured.py` writes docs/measured.json.

The validation page of the documents sets the two side by side; test_validation.py keeps the file true.
"""

import json
from collections.abc import Callable

import jax
import numpy as np

import cs20_statements
import gpucrust
from gpucrust.constants import DYN_PER_CM2, EDDINGTON_MDOT, RHO_PER_N_B
from gpucrust.engine.ensemble import evolve
from gpucrust.engine.evolution import Evolution
from gpucrust.engine.inputs import Problem, Stepper
from gpucrust.engine.interface import TraceRow
from gpucrust.masses import duflo_zuker, load_model
from gpucrust.masses.catalogue import rms_against_measured
from gpucrust.masses.registry import THEORIES
from gpucrust.nuclide import N_STRIDE, nuclide_name
from gpucrust.physics import diffusion, eos, ground_state, pycno
from gpucrust.sweep.config import load_sweep
from gpucrust.sweep.plan import Plan, make_plan
from paths import ROOT
from published import DZ31, EOS, HZ90, OUTER_CRUST, PROFILES, RATES, RMS, S_FACTORS

FILE = ROOT / "docs" / "measured.json"
ONE_COMPONENT = ROOT / "sweeps" / "one_component.toml"


def profiles() -> dict[str, list[list[float]]]:
    """Rows of `PROFILES` from crusts at the default settings, policy mixed."""
    lg_P = [row[0] for row in next(iter(PROFILES.values()))]
    ds = gpucrust.run(
        {
            "axes": {"mass_model": list(PROFILES), "g": [2e14], "mdot": [3e4]},
            "physics": {"policy": "mixed"},
            "stepper": {"P_end": 1e31, "dlnP": np.log(10) / 250},  # a point at every 0.004 in lg P
        }
    ).squeeze()
    at = [int(np.argmin(np.abs(np.log10(ds.pressure.values) - x))) for x in lg_P]
    assert np.allclose(np.log10(ds.pressure.values[at]), lg_P, atol=1e-9)
    names = ("rho", "mu_e", "mu_n", "X_n", "heat")
    return {
        model: [[x, *(float(ds[name].values[i, k]) for name in names)] for x, k in zip(lg_P, at, strict=True)]
        for i, model in enumerate(PROFILES)
    }


def one_component_crust(*overrides: str) -> tuple[Plan, Evolution]:
    """The crust of sweeps/one_component.toml, with its reactions and its composition."""
    plan = make_plan(load_sweep(ONE_COMPONENT, overrides))
    ash, stepper = plan.sweep.ash_fractions(), Stepper(trace=100, composition=True)
    return plan, evolve(plan.evolutions, Problem(plan.models, ash, plan.pressures, plan.physics, stepper))


def transitions(crust: Evolution) -> list[tuple[str, float]]:
    """What the crust of member 0 becomes, and at what pressure, dyn cm^-2; steps at one pressure are one."""
    rows = crust.trace[0, : crust.n_reactions[0]]
    P, parent = rows[:, TraceRow._fields.index("P")], rows[:, TraceRow._fields.index("nuclide")]
    last = crust.nuclides[0, -1, np.argmax(crust.abundances[0, -1])]
    ends = np.append(parent[1:], last)[np.append(P[1:] != P[:-1], True)]
    return [
        (nuclide_name(*divmod(int(code), N_STRIDE)), float(p * DYN_PER_CM2))
        for code, p in zip(ends, np.unique(P), strict=True)
    ]


def neutron_drip() -> dict[str, object]:
    """Nuclides of the outer crust and density of neutron drip, with HFB21 and the lattice."""
    masses, matter = load_model("HFB21").mixed, eos.Matter(lattice=1.0)
    _, drip = ground_state.neutron_drip(masses, matter)
    shells = ground_state.layers(masses, 1e25 / DYN_PER_CM2, 9e29 / DYN_PER_CM2, matter)
    names = [nuclide_name(int(Z), int(A - Z)) for Z, A in zip(shells.Z, shells.A, strict=True)]
    return {"nuclides": names[: len(OUTER_CRUST)], "n_b": float(drip.n_b)}


def log10_rates() -> list[float]:
    """The rates of `RATES`."""
    found = []
    for nuclides, rho, X_N, fractions, _ in RATES:
        Z, A = np.array(nuclides, float).T
        x = np.array(fractions)
        matter = pycno.conditions(rho / RHO_PER_N_B, X_N, x @ A, x @ Z, X_N * (x @ Z) / (x @ A))
        pair = pycno.pair_constants(Z[0], A[0], Z[-1], A[-1])
        found.append(float(pycno.ln_rate(pair, matter, np.log(x[0]), np.log(x[-1]))) / np.log(10))
    return found


def equation_of_state() -> list[list[float]]:
    """mu_e, mu_n and P of the states of `EOS`."""
    matter, rows = eos.Matter(), []
    for n_b, Y_e, Y_n, *_ in EOS:
        P = eos.pressure(n_b, eos.Mixture(Y_e, Y_n, 0.0), matter) * DYN_PER_CM2
        mu_n = eos.neutron_chemical_potential(n_b * Y_n, matter)
        rows.append([float(x) for x in (eos.electron_chemical_potential(n_b * Y_e), mu_n, P)])
    return rows


def s_factors() -> list[float]:
    """log10 of the S factors of `S_FACTORS` at 0.1 MeV."""
    found = []
    for pair, _ in S_FACTORS:
        c0, c1 = pycno.ln_s_factor(*pair)
        found.append(float((c0 + 0.1 * c1) / np.log(10)))
    return found


MEASURES: dict[str, Callable[[], object]] = {
    "equation of state": equation_of_state,
    "DZ31": lambda: [float(duflo_zuker(Z, N)) for Z, N, _ in DZ31],
    "rms": lambda: {name: rms_against_measured(THEORIES[name]())[0] for name in RMS},
    "eq 11": lambda: float(diffusion.neutron_flux_scale(70.0, 1e14, 1e12)),
    "eq 11 rounded": lambda: float(diffusion.neutron_flux_rounded(70.0, 1e14, 1e12)),
    "Eddington": lambda: float(diffusion.accretion_flux(EDDINGTON_MDOT)),
    "S factors": s_factors,
    "rates": log10_rates,
    "neutron drip": neutron_drip,
    "one component": lambda: transitions(one_component_crust()[1])[: len(HZ90)],
    "profiles": profiles,
    "CS20": cs20_statements.statements,
    "layers of figure 1": cs20_statements.layers,
}


if __name__ == "__main__":
    jax.config.update("jax_enable_x64", True)
    measured = {name: measure() for name, measure in MEASURES.items()}
    if "FRDM12+DZ31" not in measured["layers of figure 1"]:
        raise SystemExit("FRDM12 is not installed: its part of the file would be lost")
    FILE.write_text(json.dumps(measured, indent=1) + "\n")
