"""The dataset as a file: names, units, flags, round trip, and never a partial file."""

import errno

import netCDF4
import numpy as np
import pytest
import xarray as xr

import gpucrust
from gpucrust.results.files import NetcdfSink, write_netcdf
from gpucrust.results.html_report import figures
from gpucrust.schema import (
    AXES,
    COMPOSITION,
    COORDINATES,
    GROUND_STATE,
    LAYERS,
    MEMBERS,
    NUCLIDE_COORDINATES,
    PROFILES,
    SHARED,
    VARIABLES,
    ProfileColumns,
    SummaryColumns,
)
from gpucrust.status import Status

CONTRACT_PROFILES = (
    "mu_e mu_n rho n_b Y_e X_n Z_mean A_mean Q_imp heat P_e P_n dmu_e_dP dmu_e_dP_nodiff equilibrium_ratio regime f_in "
    "J_n J_ratio column_depth depth residual_ei residual_n".split()
)
CONTRACT_MEMBERS = "status n_steps max_active table_mismatch total_heat broken_thickness max_J_ratio".split()
CONTRACT_LAYERS = "layer_member layer_regime layer_P_start layer_P_end layer_thickness layer_J_n layer_count".split()
CONTRACT_GROUND = "gs_mu_e gs_rho gs_Z gs_A gs_dmu_e_dP_nodiff".split()
SMALL = {
    "title": "small",
    "axes": {"mass_model": ["DZ31"], "ash": ["fe56", "edge"]},
    "ash": {"fe56": {"Fe56": 1.0}, "edge": {"Nd150": 1.0}},
    "physics": {"policy": "mixed"},
    "stepper": {"P_end": 2e28, "dlnP": 0.1, "chunk": 0.01},
}


@pytest.fixture(scope="module")
def ds():
    return gpucrust.run(SMALL)


def test_names_of_the_contract_are_there(ds):
    contract = {*CONTRACT_PROFILES, *CONTRACT_MEMBERS, *CONTRACT_LAYERS, *CONTRACT_GROUND, "J_acc"}
    assert contract <= set(ds.data_vars)
    for name in (*CONTRACT_PROFILES, *CONTRACT_GROUND):
        assert "pressure" in ds[name].dims, name
    for name in CONTRACT_MEMBERS:
        assert "pressure" not in ds[name].dims, name
    assert ds.sizes["pressure"] == 31


def test_a_result_has_the_variables_of_the_schema_and_no_others(result):
    """Dimensions, types and attributes too; comments have the values of the sweep in their places."""
    described = {**SHARED, **GROUND_STATE, **MEMBERS, **PROFILES, **COMPOSITION, **LAYERS}
    assert dict(VARIABLES) == described
    assert set(result.data_vars) == set(VARIABLES)
    axes = ", ".join(f"{axis} ({result.sizes[axis]})" for axis in AXES)
    for name, variable in VARIABLES.items():
        ours = result[name]
        assert (ours.dims, ours.dtype) == (variable.dims, variable.dtype), name
        assert list(ours.attrs) == list(variable.attributes), name
        for key, value in variable.attributes_with(layer_cut=1.0, axes=axes).items():
            np.testing.assert_array_equal(ours.attrs[key], value, err_msg=f"{name}.{key}")
    for name, attributes in {**COORDINATES, **NUCLIDE_COORDINATES}.items():
        assert result[name].dims == (("nuclide",) if name in NUCLIDE_COORDINATES else (name,))
        assert result[name].attrs == attributes
    assert set(result.coords) == {*COORDINATES, *NUCLIDE_COORDINATES}


def test_what_is_kept_of_an_evolution_is_written_as_it_is_or_times_g():
    assert set(SummaryColumns._fields) < set(MEMBERS)
    assert set(ProfileColumns._fields) - set(PROFILES) == {"depth_times_g", "f_in_over_g", "J_n_over_g"}


def test_every_variable_says_what_it_is_in_which_units(ds):
    for name, variable in ds.variables.items():
        assert variable.attrs.get("long_name"), name
        if variable.dtype.kind == "f":
            assert variable.attrs.get("units"), name
    for name in (
        "Conventions",
        "title",
        "source",
        "history",
        "references",
        "sweep",
        "data_hash",
        "jax_version",
        "device",
    ):
        assert ds.attrs[name], name


def test_a_member_that_fails_has_missing_values_and_a_status(ds):
    np.testing.assert_array_equal(ds.status.squeeze(), [Status.OK, Status.CHART_EDGE])
    failed, good = ds.isel(ash=1), ds.isel(ash=0)
    for name in ("mu_e", "heat", "equilibrium_ratio", "J_n", "depth", "broken_thickness", "max_J_ratio", "total_heat"):
        assert np.all(np.isnan(failed[name])), name
        assert np.all(np.isfinite(good[name])), name
    assert np.all(failed.regime == -1)
    assert dict(zip(ds.status.attrs["flag_meanings"].split(), ds.status.attrs["flag_values"], strict=True)) == {
        s.name.lower(): int(s) for s in Status
    }


def test_composition_adds_up(ds):
    full = gpucrust.run({**SMALL, "output": {"composition": True, "ground_state": False}})
    good = full.isel(ash=0)
    np.testing.assert_allclose(good.composition.sum("nuclide") + good.X_n, 1, rtol=0, atol=1e-8)
    np.testing.assert_allclose((good.composition * good.nuclide_Z / good.nuclide_A).sum("nuclide"), good.Y_e, rtol=1e-8)
    assert float(good.composition.sel(nuclide="Cr56").max()) == pytest.approx(1, abs=1e-12)
    assert np.all(np.isnan(full.composition.isel(ash=1)))
    np.testing.assert_array_equal(full.mu_e, ds.mu_e)


def test_summaries_without_profiles(ds):
    short = gpucrust.run({**SMALL, "output": {"profiles": False, "ground_state": False}})
    assert not any("pressure" in variable.dims for variable in short.data_vars.values())
    for name in (*CONTRACT_MEMBERS, *CONTRACT_LAYERS):
        np.testing.assert_array_equal(short[name], ds[name], err_msg=name)


def test_round_trip(ds, tmp_path):
    path = tmp_path / "x.nc"
    write_netcdf(ds, path)
    xr.testing.assert_identical(xr.load_dataset(path, engine="netcdf4"), ds)
    assert list(tmp_path.iterdir()) == [path]


def test_the_file_is_netcdf4_compressed_with_float64_coordinates(ds, tmp_path):
    write_netcdf(ds, tmp_path / "x.nc")
    with netCDF4.Dataset(tmp_path / "x.nc") as file:
        assert file.data_model == "NETCDF4"
        assert file["mu_e"].filters()["zlib"]
        assert file["pressure"].dtype == np.float64
        assert np.isnan(file["mu_e"]._FillValue)


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()])
def test_a_write_that_fails_leaves_nothing_and_keeps_what_was_there(ds, tmp_path, monkeypatch, error):
    path = tmp_path / "x.nc"
    path.write_bytes(b"old")

    def partly(*_):
        raise error

    monkeypatch.setattr(NetcdfSink, "write", partly)
    with pytest.raises(type(error)):
        write_netcdf(ds, path)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_sweep_none_of_whose_members_has_a_result_is_written_nevertheless(tmp_path):
    failed = gpucrust.run(
        {
            "axes": {"mass_model": ["DZ31"], "ash": ["edge"]},
            "ash": {"edge": {"Nd150": 1.0}},
            "physics": {"policy": "mixed"},
            "stepper": {"P_end": 1e28, "dlnP": 0.1},
            "output": {"composition": True},
        }
    )
    assert failed.composition.sizes["nuclide"] == 0
    assert np.all(np.isnan(failed.mu_e))
    write_netcdf(failed, tmp_path / "x.nc")
    with xr.open_dataset(tmp_path / "x.nc") as ds:
        np.testing.assert_array_equal(ds.status, failed.status)
    assert set(figures(failed)) == {"profile", "layers"}
