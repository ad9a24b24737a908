"""Sensitivities of sweeps: families of parameters, margins, the command line, and inference with the derivatives."""

import importlib.util
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr

from gpucrust.engine.inputs import Members, Physics
from gpucrust.masses import Origin, binding_terms, load_model, packaged_table
from gpucrust.masses.liquid_drop import MB_REFIT, liquid_drop_chart
from gpucrust.nuclide import N_STRIDE
from gpucrust.physics import eos
from gpucrust.sensitivity.chart import plot_chart
from gpucrust.sensitivity.dataset import most_telling, ranking
from gpucrust.sensitivity.derivatives import crust_outputs, linearize, make_crusts
from gpucrust.sensitivity.parameters import (
    FamilyError,
    dz31_directions,
    family_of,
    liquid_drop_directions,
    mass_sigma,
    parameters_of,
)
from gpucrust.sensitivity.run import run_sensitivity
from gpucrust.sensitivity.tape import nuclide_label, reaction_label, sequence_hash
from gpucrust.sweep.config import check_sweep
from gpucrust.sweep.plan import make_plan, recorded_pressures
from paths import ROOT
from recorded_crusts import record_models, shifted

IRON = {(26, 30): 1.0}
SWEEP = """
[axes]
mass_model = ["FRDM95+DZ31", "DZ31"]
[physics]
policy = "mixed"
[stepper]
P_start = 1e28
P_end = 2e31
dlnP = 0.05
"""
PRESSURES = recorded_pressures(1e28, 2e31, 0.05)


@pytest.fixture(autouse=True, scope="module")
def x64():
    with jax.enable_x64(True):
        yield


@pytest.fixture(scope="module")
def iron(x64):
    model = load_model("FRDM95+DZ31")
    return model, make_crusts(*record_models([model], [IRON], PRESSURES))


# --- families


@pytest.mark.parametrize("policy", ["mixed", "aligned"])
def test_dz31_directions_are_what_other_coefficients_do_to_the_chart(policy):
    """DZ31 is linear in its coefficients, so finite changes of the joined tables are exact."""
    model = load_model("FRDM95+DZ31", policy=policy)
    change = dz31_directions(model)
    own = (model.origin == Origin.DUFLO_ZUKER).ravel()
    Z, N = (x.ravel()[own] for x in np.mgrid[:61, :161])
    terms = -np.asarray(binding_terms(Z, N))
    if policy == "mixed":
        np.testing.assert_allclose(change[:, own].T, terms, rtol=1e-12, atol=1e-12)
    else:
        # a shift for each Z: differences along a row of the chart are those of the formula
        same = Z[1:] == Z[:-1]
        np.testing.assert_allclose(
            np.diff(change[:, own].T, axis=0)[same], np.diff(terms, axis=0)[same], rtol=1e-9, atol=1e-9
        )
    assert not change[:, ~own].any()


def test_liquid_drop_directions_are_differences_of_charts():
    model = load_model("MB-refit")
    change = liquid_drop_directions(model, MB_REFIT)
    names = list(MB_REFIT.__dataclass_fields__)
    for k in (0, 3, 7):
        h = 4e-3 * getattr(MB_REFIT, names[k])
        charts = {
            s: liquid_drop_chart(replace(MB_REFIT, **{names[k]: getattr(MB_REFIT, names[k]) + s * h}))[12:40, 20:60]
            for s in (2, 1, -1, -2)
        }
        difference = (8 * (charts[1] - charts[-1]) - (charts[2] - charts[-2])) / (12 * h)
        ours = change[k].reshape(61, N_STRIDE)[12:40, 20:60]
        # charts are rounded to 1 eV
        np.testing.assert_allclose(ours, difference, rtol=1e-5, atol=2e-6 / h)


def test_families_that_make_no_sense_say_so():
    with pytest.raises(FamilyError, match="no masses of DZ31"):
        family_of("dz31", load_model("MB-refit"), None, MB_REFIT)
    with pytest.raises(FamilyError, match="is no liquid drop"):
        family_of("liquid_drop", load_model("DZ31"), None, MB_REFIT)


def test_only_theory_is_uncertain():
    model = load_model("HFB21+DZ31")
    sigma = mass_sigma(model)
    measured, theory = (packaged_table(name) for name in ("AME2016", "HFB21"))
    masses = dict(zip(zip(theory.Z, theory.N, strict=True), theory.mass_excess, strict=True))
    both = [
        masses[Z, N] - excess
        for Z, N, excess in zip(measured.Z, measured.N, measured.mass_excess, strict=True)
        if 8 <= Z <= 60 and N >= 8 and (Z, N) in masses
    ]
    np.testing.assert_allclose(sigma.rms["theory"], np.sqrt(np.mean(np.square(both))), rtol=1e-9)
    assert not sigma.chart[(model.origin == Origin.MEASURED).ravel()].any()
    assert (sigma.chart[(model.origin > Origin.MEASURED).ravel()] > 0).all()


def test_a_perturbed_member_has_its_samples_masses():
    model = load_model("DZ31")
    members = Members(np.zeros(3, int), np.zeros(3, int), np.zeros(3), np.array([0, 1, 1]), np.ones(3))
    physics = Physics(sigma=0.5, seed=4)
    plain, one, again = (np.asarray(parameters_of(model, m, members, physics, 2e14, 3e4).E) for m in range(3))
    theory = (model.origin > Origin.MEASURED).ravel()
    np.testing.assert_array_equal(one, again)
    np.testing.assert_array_equal(one[~theory], plain[~theory])
    np.testing.assert_allclose(np.std((one - plain)[theory]), 0.5, rtol=0.05)


# --- margins


def test_margins_are_where_the_sequence_changes(iron):
    """The closest masses that matter: the shift at which the engine takes another sequence, found by bisection."""
    model, crusts = iron
    margins, own = crusts.margins[0], crusts.hashes[0]

    def same(codes, shifts):
        charts = [shifted(model, code, shift) for code, shift in zip(codes, shifts, strict=True)]
        records, _ = record_models(charts, [IRON] * len(charts), PRESSURES)
        return np.array([sequence_hash(record) == own for record in records])

    codes = np.repeat(np.argsort(margins.by_nuclide)[:20], 2)
    beyond = 1.3 * margins.by_nuclide[codes] * np.tile([1, -1], 20)
    changes = ~same(codes, beyond)
    codes, beyond = codes[changes], beyond[changes]
    low, high = np.zeros(len(codes)), np.ones(len(codes))
    for _ in range(10):
        middle = (low + high) / 2
        stays = same(codes, middle * beyond)
        low, high = np.where(stays, middle, low), np.where(stays, high, middle)
    assert np.sum(np.abs(1.3 * high - 1) < 0.02) >= 4


def test_names_of_reactions():
    Mg44 = 12 * N_STRIDE + 32
    assert nuclide_label(Mg44) == "Mg44"
    assert reaction_label((Mg44, Mg44, 6)) == "Mg44+e -> Na42+2n"
    assert reaction_label((Mg44, Mg44, 3)) == "Mg44+2n -> Mg46"
    assert reaction_label((Mg44, Mg44, 11)) == "Mg44 -> Al44+e"
    assert reaction_label((Mg44, Mg44, 12)) == "Mg44+Mg44"


# --- use by others


def test_gradient_descent_recovers_a_mass_shift_from_a_profile(iron):
    """The example of docs/sensitivity.md: mu_e(P) of a crust with one mass shifted; the gradient finds the shift."""
    model, crusts = iron
    steps, structure, parameters = crusts.member(0)
    outputs, _, vjp = linearize(steps, structure, parameters)
    nothing = jax.tree.map(jnp.zeros_like, outputs)
    code = int(np.argmax(np.abs(vjp(nothing._replace(mu_e=jnp.ones_like(outputs.mu_e))).E)))

    true = 0.02
    (profile,), _ = record_models([shifted(model, code, true)], [IRON], PRESSURES)
    assert sequence_hash(profile) == crusts.hashes[0]
    grid = profile.grid_index >= 0
    Y_e = np.sum(profile.nuclide // N_STRIDE * profile.Y, axis=1)
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


# --- the command


@pytest.fixture(scope="module")
def plan():
    import tomllib

    return make_plan(check_sweep(tomllib.loads(SWEEP)))


@pytest.fixture(scope="module")
def ds(plan, x64):
    of = "total_heat,broken_thickness,mu_e@1e31,R@1e31,layer_thickness,threshold_pressure"
    return run_sensitivity(plan, of, "masses")


def test_the_dataset_says_what_matters(ds, plan):
    assert ds.derivative.dims == ("member", "output", "nuclide")
    assert list(ds.mass_model.values) == ["FRDM95+DZ31", "DZ31"]
    np.testing.assert_allclose(ds.contribution, ds.derivative * ds.sigma, rtol=1e-12)
    np.testing.assert_allclose(ds.linear_std**2, (ds.contribution**2).sum("nuclide", skipna=False), rtol=1e-12)
    assert not ds.sigma.where(ds.nuclide == "Fe56", 0.0).any()
    # thresholds rise with pressure; where there are fewer, values are missing and so are derivatives
    P = ds.value.values[:, [str(x).startswith("threshold") for x in ds.output.values]]
    assert all(np.all(np.diff(row[np.isfinite(row)]) > -1e-6 * row[0]) for row in P)
    np.testing.assert_array_equal(np.isnan(ds.value), np.isnan(ds.derivative).all("nuclide"))
    assert ((ds.margin > 0) & (ds.margin_reaction != "")).all()
    np.testing.assert_array_equal(ds.beyond_margin, ds.nuclide_margin.fillna(np.inf) < ds.sigma)


def test_the_ranking_is_by_derivative_times_error(ds):
    rows = ranking(ds, 0, top=5)
    size = np.sqrt((ds.contribution.isel(output=0) ** 2).mean("member"))
    assert rows[0].name == str(ds.nuclide.values[np.argmax(size.values)])
    assert [row.product for row in rows] == sorted((row.product for row in rows), reverse=True)
    np.testing.assert_allclose(rows[0].product, size.max(), rtol=1e-12)


def test_the_chart_shows_every_nuclide_that_matters(ds):
    output = most_telling(ds)
    figure = plot_chart(ds, output)
    marks = next(x for x in figure.axes[0].collections if x.get_array() is not None)
    size = np.sqrt((np.nan_to_num(ds.contribution.isel(output=output)) ** 2).mean(axis=0))
    shown = size > 1e-3 * size.max()
    np.testing.assert_allclose(np.sort(marks.get_array()), np.sort(size[shown]), rtol=1e-12)
    places = {tuple(x) for x in marks.get_offsets().astype(int).tolist()}
    assert places == set(zip(ds.nuclide_N.values[shown].tolist(), ds.nuclide_Z.values[shown].tolist(), strict=True))


@pytest.mark.parametrize("wrt", ["dz31", "g", "neutron_eos"])
def test_every_family_has_a_dataset(plan, ds, wrt):
    other = run_sensitivity(plan, "total_heat,broken_thickness", wrt)
    assert other.derivative.dims == ("member", "output", "parameter")
    assert np.isfinite(other.derivative).all()
    np.testing.assert_allclose(other.value, ds.value.isel(output=[0, 1]), rtol=1e-12)
    if wrt == "g":
        # thickness goes as 1/g at fixed g mdot, and composition depends on g mdot alone: mdot's derivative tells it
        by_mdot = run_sensitivity(plan, "total_heat,broken_thickness", "mdot").derivative.values[..., 0]
        expected = (by_mdot * 3e4 - np.array([0.0, 1.0]) * other.value.values) / 2e14
        np.testing.assert_allclose(other.derivative.values[..., 0], expected, rtol=1e-9)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "s.toml").write_text(SWEEP)
    return tmp_path


def test_the_command_writes_dataset_figure_and_tables(folder, command):
    status, out, _ = command("sensitivity", "s.toml", "--of", "total_heat,mu_e@1e31", "-o", "x.nc")
    assert status == 0
    assert "total_heat" in out
    assert "margin" in out
    assert xr.load_dataset("x.nc").attrs["with_respect_to"] == "masses"
    assert (folder / "x.png").read_bytes()[:4] == b"\x89PNG"
    assert command("sensitivity", "s.toml", "-o", "x.nc")[0] == 2
    for reader in (["info"], ["plot"], ["report"], ["export", "-f", "csv"]):
        status, _, err = command(*reader, "x.nc")
        assert (status, err.count("\n")) == (2, 1)
        assert "derivatives" in err
    status, out, _ = command("sensitivity", "s.toml", "--wrt", "pycno", "-o", "y.nc")
    assert status == 0
    assert "pycno_log10_scale" in out
    assert not (folder / "y.png").exists()
    assert "gpucrust sensitivity sweeps" in command("sensitivity", "--help")[1]


def test_the_benchmark_runs():
    path = ROOT / "benchmarks" / "sensitivity.py"
    spec = importlib.util.spec_from_file_location("benchmark_sensitivity", path)
    benchmark = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(benchmark)
    rows = benchmark.main(["--members", "1", "--P-end", "1e28"])
    assert [row["what"] for row in rows] == ["forward", "reverse", "tangent"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--of", "heta"], "did you mean heat"),
        (["--of", ","], "at least one output"),
        (["--of", "mu_e"], "at which pressure"),
        (["--of", "mu_e@x"], "no pressure"),
        (["--of", "mu_e@1e33"], "go from"),
        (["--of", "total_heat@1e30"], "did you mean heat"),
        (["--wrt", "mass"], "did you mean masses"),
        (["--wrt", "liquid_drop"], "no liquid drop"),
        (["--set", "physics.policy=unmixed"], "function of state"),
        (["--set", "physics.neutrino_fraction=0.1"], "neutrino_fraction"),
        (["-o", "x.dat"], "netCDF"),
    ],
)
def test_bad_input_is_one_line_and_status_2_and_writes_nothing(folder, command, arguments, says):
    status, _, err = command("sensitivity", "s.toml", *arguments)
    assert status == 2
    assert says in err
    assert len(err.strip().splitlines()) == 1
    assert [p.name for p in folder.iterdir()] == ["s.toml"]
