"""Mass models: which table a mass comes from, and what the three policies do at the edges of tables."""

from functools import partial

import jax
import numpy as np
import pytest

from gpucrust.constants import ELECTRON_MASS
from gpucrust.masses import (
    BUILDERS,
    DZ31_COEFFICIENTS,
    N_MAX,
    POLICIES,
    Z_MAX,
    MassTableError,
    MissingTableError,
    Origin,
    UnknownModelError,
    duflo_zuker,
    electron_binding_energy,
    known_models,
    load_model,
    nuclear_energy,
    packaged_table,
)
from gpucrust.masses.catalogue import rms_against_measured
from gpucrust.masses.registry import THEORIES, dz31_table, join, tabulated_sources
from paths import SHARED_DATA
from published import RMS

SHARED = SHARED_DATA
NEEDS_FRDM2012 = pytest.mark.skipif(
    not (SHARED / "frdm2012.csv").is_file(), reason="FRDM(2012) may not be redistributed and is not here"
)
NAMES = [pytest.param(name, marks=[NEEDS_FRDM2012] if "FRDM12" in name else []) for name in BUILDERS]
WITH_MEASURED = [name for name in NAMES if name.values[0] != "MB-refit"]


@pytest.fixture(autouse=True)
def data(monkeypatch):
    monkeypatch.setenv("GPUCRUST_DATA", str(SHARED))


@pytest.fixture
def no_data(monkeypatch, tmp_path):
    monkeypatch.setenv("GPUCRUST_DATA", str(tmp_path))


def chart_of(table):
    chart = np.full((Z_MAX + 1, N_MAX + 1), np.nan)
    on = (table.Z >= 1) & (table.Z <= Z_MAX) & (table.N <= N_MAX)
    chart[table.Z[on], table.N[on]] = table.mass_excess[on]
    return chart


def last(row):
    """The most neutron-rich N of a row that has a mass."""
    return np.flatnonzero(~np.isnan(row)).max()


def write_table(folder, rows):
    path = folder / "mine.csv"
    path.write_text("# my own\nZ,N,mass_excess\n" + "".join(f"{Z},{N},{m}\n" for Z, N, m in rows))
    return path


# --- energies


def test_electron_binding_energy():
    assert electron_binding_energy(1) == pytest.approx(14.4381e-6, rel=1e-6)
    # iron: sum of the ionisation energies, 34.6 keV
    assert electron_binding_energy(26) == pytest.approx(34.6e-3, rel=0.02)


def test_nuclear_energy_of_iron():
    model = load_model("DZ31")
    expected = -60.607 - 26 * ELECTRON_MASS + electron_binding_energy(26)
    assert model.mixed[26, 30] == pytest.approx(expected, abs=2e-3)
    assert nuclear_energy(0, 8.0) == 8.0


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("ame", ["AME2016", "AME2020"])
def test_every_model_is_consistent(name, policy, ame):
    model = load_model(name, ame=ame, policy=policy)
    assert (model.name, model.ame, model.policy) == (name, ame, policy)
    assert model.mixed.shape == model.origin.shape == (61, 161)
    assert model.sources.shape == (3, 61, 161)
    assert model.origin.dtype == np.int8
    for array in (model.mixed, model.sources, model.origin):
        assert not array.flags.writeable
    # the first source that has a mass gives it
    for origin in Origin:
        chosen = model.origin == origin
        if origin == Origin.NONE:
            assert np.isnan(model.mixed[chosen]).all()
            assert np.isnan(model.sources[:, chosen]).all()
        else:
            np.testing.assert_array_equal(model.mixed[chosen], model.sources[origin - 1][chosen])
            assert np.isnan(model.sources[: origin - 1, chosen]).all()
    assert np.isnan(model.mixed[0]).all()
    assert ame in model.citation or name == "MB-refit"
    assert ("Duflo" in model.citation) == ("DZ31" in name) == bool((model.origin == Origin.DUFLO_ZUKER).any())
    assert (model.origin == Origin.THEORY).any() == (name != "DZ31")


@pytest.mark.parametrize("name", WITH_MEASURED)
def test_measured_masses_come_first_and_are_exact(name):
    model, measured = load_model(name, policy="aligned"), chart_of(packaged_table("AME2016"))
    Z = np.arange(Z_MAX + 1)[:, None]
    np.testing.assert_array_equal(model.sources[0], nuclear_energy(Z, measured))
    assert ((model.origin == Origin.MEASURED) == ~np.isnan(measured)).all()


def test_the_liquid_drop_is_alone_and_everywhere():
    model = load_model("MB-refit")
    assert set(np.unique(model.origin[2:, 1:])) == {Origin.THEORY}


@pytest.mark.parametrize("line", ["binding = 16271.5", "tension_exponent = 2458.2", "incompressibility = 0.23"])
def test_constants_that_make_no_drop_are_refused_in_one_line(tmp_path, line):
    path = tmp_path / "keV.toml"
    path.write_text(line)
    with pytest.raises(MassTableError, match="MeV and fm are needed") as error:
        load_model("MB-refit", liquid_drop_constants=path)
    assert str(error.value).startswith(f"{path}: ")
    assert "\n" not in str(error.value)
    path.write_text("binding = 16.0\nsurface_tension = 1.2")
    assert np.isfinite(load_model("MB-refit", liquid_drop_constants=path).mixed[2:, 1:]).all()


def test_duflo_zuker_fills_only_where_it_holds():
    model = load_model("HFB21+DZ31")
    Z, N = np.nonzero(model.origin == Origin.DUFLO_ZUKER)
    assert Z.min() >= 6
    assert Z.max() <= 50
    assert N.min() >= 6
    assert model.origin[2, 16] == Origin.NONE  # 18He
    with jax.enable_x64(True):
        expected = nuclear_energy(Z, np.asarray(duflo_zuker(Z, N, DZ31_COEFFICIENTS)))
    np.testing.assert_allclose(model.mixed[Z, N], expected, atol=1e-6)


def test_with_and_without_dz31_differ_only_by_it():
    with_dz31, without = load_model("BSkG4+DZ31"), load_model("BSkG4")
    inside = with_dz31.origin != Origin.DUFLO_ZUKER
    np.testing.assert_array_equal(with_dz31.mixed[inside], without.mixed[inside])
    assert np.isnan(without.mixed[~inside]).all()


def test_the_evaluation_of_measured_masses_matters():
    old, new = (load_model("FRDM95+DZ31", ame=ame) for ame in ("AME2016", "AME2020"))
    assert ((old.origin == Origin.THEORY) & (new.origin == Origin.MEASURED)).any()


# --- policies


def test_unmixed_has_the_tables_of_mixed():
    mixed, unmixed = load_model("FRDM95+DZ31"), load_model("FRDM95+DZ31", policy="unmixed")
    np.testing.assert_array_equal(mixed.mixed, unmixed.mixed)
    np.testing.assert_array_equal(mixed.sources, unmixed.sources)


@pytest.mark.parametrize("name", ["FRDM95+DZ31", "HFB21+DZ31", "BSkG4+DZ31", "DZ31"])
def test_aligned_shifts_each_isotopic_chain_as_a_whole(name):
    plain, aligned = load_model(name), load_model(name, policy="aligned")
    np.testing.assert_array_equal(plain.origin, aligned.origin)
    shift = aligned.sources - plain.sources
    for Z in range(1, Z_MAX + 1):
        for source in range(3):
            chain = shift[source, Z][~np.isnan(shift[source, Z])]
            np.testing.assert_allclose(chain, chain[:1].repeat(len(chain)), atol=1e-9)
    assert np.nanmax(np.abs(shift[0])) == 0


@pytest.mark.parametrize("name", ["FRDM95+DZ31", "HFB21+DZ31", "BSkG4+DZ31"])
def test_aligned_tables_meet_at_their_neutron_rich_edges(name):
    measured, theory, dz31 = load_model(name, policy="aligned").sources
    for Z in range(8, Z_MAX + 1):
        edge = last(measured[Z] + theory[Z])
        assert theory[Z, edge] == pytest.approx(measured[Z, edge], abs=1e-9)
    for Z in range(8, 51):
        edge = last(theory[Z] + dz31[Z])
        if edge >= last(measured[Z]):
            assert dz31[Z, edge] == pytest.approx(theory[Z, edge], abs=1e-9)
    for Z in (6, 7):  # no theory: DZ31 joins what is measured
        edge = last(measured[Z] + dz31[Z])
        assert dz31[Z, edge] == pytest.approx(measured[Z, edge], abs=1e-9)


def test_aligned_has_no_step_in_the_neutron_separation_energy():
    # crossing an edge, S_n of the aligned table is that of one table alone
    model = load_model("HFB21+DZ31", policy="aligned")
    for Z in range(8, 51):
        edge = last(model.sources[0, Z] + model.sources[1, Z])
        if model.origin[Z, edge + 1] == Origin.THEORY:
            np.testing.assert_allclose(
                np.diff(model.mixed[Z, edge : edge + 2]), np.diff(model.sources[1, Z, edge : edge + 2])
            )


def test_chains_that_share_nothing_are_not_shifted():
    inner, outer = np.full((61, 161), np.nan), np.full((61, 161), np.nan)
    inner[10, 10:20], outer[10, 20:30] = 1.0, 2.0
    inner[11, 10:20], outer[11, 19:30] = 1.0, 2.0
    joined = join(inner, outer)
    np.testing.assert_array_equal(joined[10, 20:30], 2.0)
    np.testing.assert_array_equal(joined[11, 19:30], 1.0)
    assert np.isnan(joined[12]).all()


# --- against measurement


@pytest.mark.parametrize(("name", "rms"), [*RMS.items(), pytest.param("FRDM12", 0.599, marks=NEEDS_FRDM2012)])
def test_rms_of_each_theory_against_ame2016(name, rms):
    found, count = rms_against_measured(THEORIES[name]())
    assert (round(found, 3), count) == (rms, 2408)


def test_rms_of_dz31_where_its_spherical_branch_holds():
    found, count = rms_against_measured(dz31_table())
    assert (round(found, 3), count) == (0.517, 977)


# --- names


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"name": "frdm95+dz31"}, "unknown mass model 'frdm95+dz31'; did you mean FRDM95+DZ31?"),
        ({"name": "HFB-24"}, "did you mean HFB24?"),
        ({"name": "FRDM95", "ame": "AME2012"}, "unknown AME table 'AME2012'; did you mean AME20"),
        ({"name": "FRDM95", "policy": "mix"}, "unknown policy 'mix'; did you mean mixed?"),
    ],
)
def test_unknown_names_get_the_nearest_valid_one(arguments, says):
    with pytest.raises(UnknownModelError) as error:
        load_model(**arguments)
    assert says in str(error.value)


@pytest.mark.usefixtures("no_data")
def test_frdm2012_without_its_file_names_the_command():
    for name in ("FRDM12", "FRDM12+DZ31"):
        with pytest.raises(MissingTableError, match="run: gpucrust masses install frdm2012"):
            load_model(name)


def test_a_user_table_by_its_name(tmp_path):
    path = write_table(tmp_path, [(26, 30, -60.0), (26, 60, 55.5)])
    for name, beyond in (("mine", Origin.NONE), ("mine+DZ31", Origin.DUFLO_ZUKER)):
        model = load_model(name, extra_tables={"mine": path})
        assert model.origin[26, 60] == Origin.THEORY
        assert model.mixed[26, 60] == nuclear_energy(26, 55.5)
        assert model.origin[26, 61] == beyond
        assert "my own" in model.citation
    with pytest.raises(UnknownModelError, match="did you mean mine"):
        load_model("mime", extra_tables={"mine": path})


def test_user_tables_that_cannot_serve(tmp_path):
    path = write_table(tmp_path, [(80, 120, -20.0)])
    with pytest.raises(MassTableError, match="no nuclide with Z from 1 to 60 and N up to 160"):
        load_model("mine", extra_tables={"mine": path})
    for name in ("FRDM95", "mine+DZ31"):
        with pytest.raises(MassTableError, match="is taken; give the table another"):
            load_model("DZ31", extra_tables={name: path})


def test_a_model_is_added_by_its_builder(monkeypatch):
    monkeypatch.setitem(BUILDERS, "new", partial(tabulated_sources, THEORIES["HFB26"], False))
    np.testing.assert_array_equal(load_model("new").mixed, load_model("HFB26").mixed)


@pytest.mark.usefixtures("no_data")
def test_known_models():
    models = {model.name: model for model in known_models()}
    assert list(models) == list(BUILDERS)
    for name, model in models.items():
        assert model.available == ("FRDM12" not in name)
        if not model.available:
            assert "gpucrust masses install frdm2012" in model.missing
        else:
            assert model.missing == ""
            assert model.nuclides[Origin.MEASURED] == (0 if name == "MB-refit" else 1387)
    assert models["HFB21+DZ31"].rms == pytest.approx(0.589, abs=5e-4)
    assert models["HFB21"].nuclides[Origin.DUFLO_ZUKER] == 0
    assert models["DZ31"].rms_nuclides == 977
    assert (round(models["MB-refit"].rms, 3), models["MB-refit"].rms_nuclides) == (2.423, 2408)
