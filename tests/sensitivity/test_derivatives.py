"""Derivatives of crusts at their fixed sequences: exact there, and those of crusts recorded anew."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import recorded_crusts as recorded
from gpucrust.constants import DYN_PER_CM2
from gpucrust.engine.slide.record import Move
from gpucrust.masses.liquid_drop import MB_REFIT
from gpucrust.nuclide import nuclide_code, nuclide_Z
from gpucrust.physics import eos
from gpucrust.physics.reactions import CHANNEL_DZ, CHANNEL_K
from gpucrust.sensitivity import linearize
from gpucrust.sensitivity.derivatives import crust_outputs, derivatives, make_crusts
from gpucrust.sensitivity.families import family_of
from gpucrust.sensitivity.outputs import Outputs
from gpucrust.sensitivity.selection import PROFILES, thresholds
from gpucrust.sensitivity.tape import pad_steps, sequence_hash
from gpucrust.sensitivity.thresholds import sums_along
from recorded_crusts import (
    CASES,
    IRON,
    ITERATIONS,
    MDOT,
    PRESSURES,
    G,
    places_of,
    pushed,
    record_models,
    shifted,
)
from twins import slide

TABULATED = 3
"""Of the cases. In the crust of MB-refit fusions and captures of what they make go by turns: docs/sensitivity.md."""
DEEP = ("mu_e", PRESSURES.size - 20)
"""mu_e at one of the last pressures."""


def moved(crust, tangent, h):
    """Outputs with the parameters moved by h of a tangent: solved for anew at the same sequence."""
    steps, structure, parameters = crust
    there = jax.tree.map(lambda p, t: p + h * t, parameters, tangent)
    return jax.tree.map(np.asarray, crust_outputs(steps, structure, there, iterations=ITERATIONS))


def one_mass(parameters, code):
    """The tangent of one mass."""
    return jax.tree.map(jnp.zeros_like, parameters)._replace(E=jnp.zeros_like(parameters.E).at[code].set(1.0))


def test_thresholds_move_by_the_implicit_function_theorem(crusts):
    """Without neutrons g = dE - mu_e and dmu_e/dP = 1/n_e: dP*/dE(parent) = -n_e, dP*/dE(daughter) = n_e."""
    steps, structure, parameters = crusts.member(0)
    tape = steps.tape
    capture = int(np.flatnonzero((CHANNEL_DZ == -1) & (CHANNEL_K == 0))[0])
    event = int(np.flatnonzero((tape.move == Move.EVENT) & (tape.Y_n == 0) & (tape.event.channel == capture))[0])
    parent, daughter = int(steps.event.parent[event]), int(steps.event.daughter[event])
    n_e = float(tape.n_b[event] * sums_along(nuclide_Z(tape.nuclide), tape.Y, tape.Y_n).Y_e[event])
    for code, sign in ((parent, -1), (daughter, 1)):
        _, change = pushed(steps, structure, parameters, one_mass(parameters, code))
        np.testing.assert_allclose(change.threshold_pressure[event] / DYN_PER_CM2, sign * n_e, rtol=1e-10)


def test_shifting_all_masses_only_counts_nuclei(crusts):
    """The same energy added to every nucleus changes no channel; heat loses it once for every nucleus that goes."""
    for i in range(len(crusts)):
        steps, structure, parameters = crusts.member(i)
        tangent = jax.tree.map(jnp.zeros_like, parameters)._replace(E=jnp.ones_like(parameters.E))
        _, change = pushed(steps, structure, parameters, tangent)
        for name in ("mu_e", "X_n", "equilibrium_ratio", "layer_thickness"):
            np.testing.assert_allclose(getattr(change, name), 0.0, rtol=0, atol=1e-7, err_msg=name)
        gone = np.sum(steps.tape.Y[0]) - np.sum(steps.tape.Y[-1])
        np.testing.assert_allclose(change.total_heat, gone, rtol=1e-9)


def directions(model, parameters):
    """One tangent a family (of masses several), with a step for central differences."""
    zero = jax.tree.map(jnp.zeros_like, parameters)
    rng = np.random.default_rng(1)
    E = parameters.E
    yield "masses", zero._replace(E=jnp.asarray(rng.standard_normal(E.shape))), 2e-6
    yield "masses again", zero._replace(E=jnp.asarray(rng.standard_normal(E.shape))), 2e-6
    yield "pycno", zero._replace(pycno_log10_scale=jnp.array(1.0)), 1e-5
    yield "g", zero._replace(g=parameters.g), 1e-5
    yield "mdot", zero._replace(mdot=parameters.mdot), 1e-5
    yield "lattice", zero._replace(lattice=jnp.array(1.0)), 2e-6
    for j in range(4):
        yield f"neutron_eos c_{j + 1}", zero._replace(neutron=jnp.zeros(4).at[j].set(1.0)), 2e-6
    name = "liquid_drop" if model.name == "MB-refit" else "dz31"
    family = family_of(name, model, parameters, MB_REFIT)
    for j in range(len(family.names)):
        scale = 1e-6 / max(float(jnp.abs(family.directions.E[j]).max()), 1e-3)
        yield f"{name} {family.names[j]}", jax.tree.map(lambda x, j=j: x[j], family.directions), scale


@pytest.mark.parametrize("case", range(len(CASES)), ids=CASES)
def test_derivatives_are_central_differences_at_the_fixed_sequence(models, crusts, case):
    crust = crusts.member(case)
    for family, tangent, h in directions(models[case], crust.parameters):
        outputs, change = pushed(*crust, tangent)
        far = [moved(crust, tangent, s * h) for s in (2, 1, -1, -2)]
        difference = jax.tree.map(lambda a, b, c, d, h=h: (8 * (b - c) - (a - d)) / (12 * h), *far)
        for name, x, ours, theirs in zip(Outputs._fields, outputs, change, difference, strict=True):
            ours, size = np.asarray(ours), np.max(np.abs(np.asarray(ours)))
            # what rounding of the outputs themselves leaves of a difference
            rounding = 1e-12 * np.max(np.abs(np.asarray(x))) / h
            np.testing.assert_allclose(theirs, ours, rtol=1e-5, atol=1e-5 * size + rounding, err_msg=f"{family} {name}")


def test_reverse_mode_is_the_transpose_of_forward_mode(crusts):
    rng = np.random.default_rng(3)
    steps, structure, parameters = crusts.member(1)
    scale = jax.tree.map(lambda x: 1.0 + jnp.abs(x), parameters)
    tangent = jax.tree.map(lambda x: 1e-2 * x * rng.standard_normal(x.shape), scale)
    linear = linearize(steps, structure, parameters, iterations=0)
    change = linear.jvp(tangent)
    weights = jax.tree.map(lambda x: jnp.asarray(rng.standard_normal(x.shape) / (1 + np.abs(x).max())), change)
    gradient = linear.vjp(weights)
    left = sum(float(jnp.vdot(a, b)) for a, b in zip(weights, change, strict=True))
    right = sum(float(jnp.vdot(a, b)) for a, b in zip(gradient, tangent, strict=True))
    np.testing.assert_allclose(left, right, rtol=1e-10)


def test_an_ensembles_gradients_are_its_members(crusts):
    """grad of vmap equals a loop over members, to 1e-12."""
    places = places_of(crusts, "total_heat", "broken_thickness", "max_J_ratio", DEEP)
    together = derivatives(crusts, places)
    for i in range(len(crusts)):
        padded = pad_steps(crusts.tapes[i], crusts.steps.tape.P.shape[1])
        alone = make_crusts([padded], [crusts.member(i).parameters])
        own = derivatives(alone, places[:1])
        np.testing.assert_allclose(together.values[i], own.values[0], rtol=1e-12)
        units = (1.0, 1.0, G, MDOT, 1.0, 1.0)
        for ours, theirs, unit in zip(own.gradients, together.gradients, units, strict=True):
            for value, a, b in zip(own.values[0], theirs[i], ours[0], strict=True):
                # where an output does not depend on a parameter, what is left is rounding of the output
                floor = 1e-15 * abs(value) / unit
                np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12 * np.abs(b).max() + floor)


H, SHIFTS = 2e-4, (2, 1, -1, -2)


@pytest.fixture(scope="module")
def re_decided(models, crusts):
    """Crusts of masses shifted by +-h and +-2h, recorded anew: codes, and outputs [code][shift] where all had the same
    sequence."""
    found = []
    for case, (_, ash, physics) in enumerate(list(CASES.values())[:TABULATED]):
        of = places_of(crusts, "total_heat", "broken_thickness", DEEP)
        gradients = np.abs(derivatives(crusts, of).gradients.E[case])
        codes = np.unique(np.argsort(-gradients, axis=1)[:, :5])
        charts = [shifted(models[case], code, s * H) for code in codes for s in SHIFTS]
        made = make_crusts(*record_models(charts, [ash] * len(charts), PRESSURES, physics))
        same = np.reshape([own == crusts.hashes[case] for own in made.hashes], (-1, len(SHIFTS))).all(axis=1)
        outputs = [jax.tree.map(np.asarray, crust_outputs(*made.member(i))) for i in range(len(made))]
        outputs = [x._replace(threshold_pressure=in_order(t, x)) for t, x in zip(made.tapes, outputs, strict=True)]
        rows = [outputs[k * len(SHIFTS) : (k + 1) * len(SHIFTS)] for k in range(len(codes))]
        found.append([(code, row) for code, row, fine in zip(codes, rows, same, strict=True) if fine])
    return found


def in_order(tape, outputs):
    """Threshold pressures alone, without steps that end at given ones."""
    return np.asarray(outputs.threshold_pressure)[[step.number for step in thresholds(tape)]]


@pytest.mark.parametrize("case", range(TABULATED), ids=list(CASES)[:TABULATED])
def test_derivatives_are_those_of_the_re_decided_crust_where_the_sequence_stays(crusts, re_decided, case):
    """Richardson-extrapolated differences of crusts recorded anew, for the masses that tell most."""
    steps, structure, parameters = crusts.member(case)
    assert len(re_decided[case]) >= 8
    names = "total_heat", "heat", "mu_e", "rho", "broken_thickness", "threshold_pressure"
    slopes, ours = {name: [] for name in names}, {name: [] for name in names}
    for code, ends in re_decided[case]:
        _, change = pushed(steps, structure, parameters, one_mass(parameters, code))
        change = change._replace(threshold_pressure=in_order(crusts.tapes[case], change))
        for name in names:
            far = [getattr(x, name) for x in ends]
            slopes[name].append((8 * (far[1] - far[2]) - (far[0] - far[3])) / (12 * H))
            ours[name].append(np.asarray(getattr(change, name)))
    for name in names:
        error = np.abs(np.array(slopes[name]) - np.array(ours[name])) / np.max(np.abs(ours[name]))
        # a pressure of the grid that a threshold passes on the way from -2h to 2h has no derivative
        passed = 0.002 if name in PROFILES else 0.0
        assert np.mean(error > 2e-4) <= passed, (name, np.max(error))


def test_derivatives_are_the_limit_of_small_steps(models, crusts, monkeypatch):
    """As steps shrink, derivatives of tapes come to differences of the plain code at smaller steps still."""
    monkeypatch.setattr(recorded, "STEP", 0.005)
    fine = make_crusts(*record_models(models[:1], [IRON], PRESSURES))
    by_step = [total_heat_by_mass(x) for x in (crusts, fine)]
    for nuclide in ((18, 44), (12, 32)):  # Ar62, Mg44
        code, heat = nuclide_code(*nuclide), []
        for shift in (1e-3, -1e-3):
            E = shifted(models[0], code, shift).mixed
            heat.append(slide.evolve(E, IRON, step=0.001, pressures=PRESSURES, g_mdot=G * MDOT).heat[-1])
        coarse, close = (abs((heat[0] - heat[1]) / 2e-3 - x[code]) for x in by_step)
        assert close < 0.1 * coarse


def total_heat_by_mass(crusts):
    """(codes,) of the first crust."""
    return derivatives(crusts, places_of(crusts, "total_heat")).gradients.E[0, 0]


def test_gradient_descent_recovers_a_mass_shift_from_a_profile(iron):
    """The example of docs/sensitivity.md: mu_e(P) of a crust with one mass shifted; the gradient finds the shift."""
    model, pressures, crusts = iron
    steps, structure, parameters = crusts.member(0)
    outputs, _, vjp = linearize(steps, structure, parameters)
    nothing = jax.tree.map(jnp.zeros_like, outputs)
    code = int(np.argmax(np.abs(vjp(nothing._replace(mu_e=jnp.ones_like(outputs.mu_e))).E)))

    true = 0.02
    (profile,), _ = record_models([shifted(model, code, true)], [IRON], pressures)
    assert sequence_hash(profile) == crusts.hashes[0]
    grid = profile.grid_index >= 0
    Y_e = np.sum(nuclide_Z(profile.nuclide) * profile.Y, axis=1)
    observed = eos.electron_chemical_potential((profile.n_b * Y_e)[grid])

    @jax.jit
    def misfit(shift):
        there = parameters._replace(E=parameters.E.at[code].add(shift))
        return jnp.sum((crust_outputs(steps, structure, there, iterations=4).mu_e - observed) ** 2) / 2

    gradient_of = jax.grad(misfit)
    by_vjp = vjp(nothing._replace(mu_e=outputs.mu_e - observed)).E[code]
    np.testing.assert_allclose(gradient_of(0.0), by_vjp, rtol=1e-9)
    shift, rate = 0.0, 0.01 / abs(gradient_of(0.0))
    for _ in range(30):
        shift -= rate * gradient_of(shift)
    np.testing.assert_allclose(shift, true, rtol=1e-3)
