"""The engine against a plain scalar code of the same rules, reaction by reaction; and that code against the physics."""

import numpy as np
import pytest

from ensembles import ASHES, G_MDOT
from gpucrust.constants import RHO_PER_N_B
from gpucrust.engine.ensemble import evolve
from gpucrust.engine.inputs import Members, Physics, Problem, Stepper
from gpucrust.masses import load_model
from gpucrust.physics import eos
from published import EOS, PROFILES, RATES, S_FACTORS
from twins import reference

MODELS = ("FRDM95+DZ31", "HFB21+DZ31", "DZ31")
PRESSURES = np.geomspace(1e27, 3e31, 200)
TRACE = 50_000


def sequence(reactions):
    """Parent, second parent, channel, k; the parents of a fusion in order."""
    first, second, channel, k = reactions[:, :4].T.astype(int)
    fusion = channel == reference.FUSION
    low, high = np.minimum(first, second), np.maximum(first, second)
    return np.stack([np.where(fusion, low, first), np.where(fusion, high, second), channel, k], axis=1)


def assert_same_reactions(engine, scalar, name):
    """Reaction by reaction: the same choice; the same amount, pressure and heat to rounding."""
    n = min(len(engine), len(scalar))
    differ = np.any(sequence(engine)[:n] != sequence(scalar)[:n], axis=1)
    # remainders of 1e-12 know their size to 1e-16; an affinity, what is left of tens of MeV, is known to 1e-9 MeV
    for column, absolute in ((4, 1e-15), (5, 0.0), (6, 1e-15 + 1e-9 * scalar[:n, 4])):
        difference = np.abs(engine[:n, column] - scalar[:n, column])
        differ |= difference > absolute + 1e-9 * np.abs(scalar[:n, column])
    at = np.argmax(differ) if np.any(differ) else n
    near = slice(max(at - 2, 0), at + 3)
    assert len(engine) == len(scalar) == at, (
        f"{name}: {len(engine)} and {len(scalar)} reactions; first difference at {at} (columns: parent, second,"
        f" channel, k, amount, P, heat)\nengine {engine[near]}\nscalar {scalar[near]}"
    )


@pytest.mark.parametrize(("policy", "chunk"), [("mixed", 0.01), ("unmixed", 0.01), ("mixed", 0.002)])
def test_engine_follows_the_scalar_code(policy, chunk):
    models = [load_model(name, policy=policy) for name in MODELS]
    model, ash = (x.ravel() for x in np.meshgrid(np.arange(3), np.arange(3), indexing="ij"))
    members = Members(model, ash, np.zeros(9), np.zeros(9, int), np.full(9, G_MDOT))
    engine = evolve(
        members,
        Problem(models, list(ASHES.values()), PRESSURES, Physics(), Stepper(chunk=chunk, trace=TRACE, engine="chunk")),
    )
    p = engine.profiles
    mu_e = np.asarray(eos.electron_chemical_potential(p["n_b"] * p["Y_e"]))
    mu_n = np.asarray(eos.neutron_chemical_potential(p["n_b"] * p["Y_n"], eos.Matter()))
    switched, unaided = 0, 0
    for m in range(9):
        name = f"{MODELS[model[m]]}, {list(ASHES)[ash[m]]}, {policy}, chunk {chunk}"
        table, fractions = models[model[m]], list(ASHES.values())[ash[m]]
        rules = {"pressures": PRESSURES, "g_mdot": G_MDOT, "chunk": chunk, "policy": policy}
        trace = engine.trace[m, : engine.n_reactions[m]]
        alone = reference.evolve(table.mixed, table.sources, fractions, **rules)
        unaided += np.array_equal(sequence(alone.reactions), sequence(trace))
        scalar = reference.evolve(table.mixed, table.sources, fractions, **rules, follow=trace[:, 4])
        assert_same_reactions(trace, scalar.reactions, name)
        free = scalar.Y_n > 1e-14  # below, Y_n is what rounding leaves of none
        np.testing.assert_allclose(mu_e[m], scalar.mu_e, rtol=1e-9, err_msg=name)
        np.testing.assert_allclose(mu_n[m, free], scalar.mu_n[free], rtol=1e-9, err_msg=name)
        np.testing.assert_allclose(mu_n[m, ~free], scalar.mu_n[~free], rtol=0, atol=1e-5, err_msg=name)
        np.testing.assert_allclose(p["Y_n"][m], scalar.Y_n, rtol=1e-9, atol=1e-14, err_msg=name)
        np.testing.assert_allclose(p["heat"][m], scalar.heat, rtol=1e-9, atol=1e-9, err_msg=name)
        np.testing.assert_allclose(engine.mismatch[m], scalar.mismatch, rtol=1e-9, atol=1e-9, err_msg=name)
        switched += scalar.switched
    assert unaided >= 7, "left to itself the scalar code takes the same path, but for crusts that multiply rounding"
    assert policy == "mixed" or switched > 0


@pytest.mark.parametrize("name", PROFILES)
def test_scalar_code_gives_the_tables_of_the_specification(name):
    lg_P, rho, mu_e, mu_n, _X_n, heat = np.array(PROFILES[name]).T
    model = load_model(name)
    pressures = np.concatenate([[1e26], 10**lg_P])
    run = reference.evolve(model.mixed, model.sources, ASHES["Fe56"], pressures=pressures, g_mdot=G_MDOT, chunk=0.002)
    np.testing.assert_allclose(run.n_b[1:] * RHO_PER_N_B, rho, rtol=3e-3)
    np.testing.assert_allclose(run.mu_e[1:], mu_e, rtol=3e-3)
    np.testing.assert_allclose(run.mu_n[1:], mu_n, rtol=3e-3, atol=2e-3)  # first neutrons
    np.testing.assert_allclose(run.heat[1:], heat, rtol=0, atol=0.05)


def test_pycnonuclear_check_values():
    for (Z, A, *_), expected in S_FACTORS:
        np.testing.assert_allclose(reference.ln_s_factor(Z, A, Z, A, 0.1) / np.log(10), expected, atol=0.05)
    for nuclides, rho, X_N, _, expected in RATES:
        (Z1, A1), (Z2, A2) = nuclides[0], nuclides[-1]
        same, n_b = len(nuclides) == 1, rho / RHO_PER_N_B
        A, Z, x = (A1 + A2) / 2, (Z1 + Z2) / 2, 1.0 if same else 0.5
        rate = reference.ln_fusion_rate(Z1, A1, x, Z2, A2, x, same, n_b, X_N, A, Z, n_b * X_N * Z / A)
        np.testing.assert_allclose(rate / np.log(10), expected, atol=0.01)


def test_equation_of_state_check_values():
    c = (1.2974, 15.0298, -15.2343, 7.4663)
    for n_b, Y_e, Y_n, mu_e, mu_n, P in EOS:
        np.testing.assert_allclose(reference.electrons(n_b * Y_e)[0], mu_e, rtol=1e-7)
        np.testing.assert_allclose(reference.neutrons(n_b * Y_n, c)[0], mu_n, rtol=0, atol=1e-6)
        P_here = reference.pressure(n_b, Y_e, Y_n, c)
        np.testing.assert_allclose(P_here * reference.DYN_PER_CM2, P, rtol=1e-6)
        np.testing.assert_allclose(reference.solve_density(P_here, Y_e, Y_n, c, 1.7 * n_b), n_b, rtol=1e-14)
