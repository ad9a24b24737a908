"""The netCDF file opened by other tools."""

import json
import shutil
import subprocess

import h5netcdf
import netCDF4
import numpy as np
import pytest
import xarray as xr


def test_no_errors_by_the_rules_of_the_cf_conventions(result_file, tmp_path):
    """compliance-checker's CF 1.11 suite, but for one rule of its own making: that a dimension named `pressure` is
    air pressure. CF (section 4.3) knows a vertical axis by its units, and names none for crusts."""
    from compliance_checker.runner import CheckSuite, ComplianceChecker

    CheckSuite.load_all_available_checkers()
    ComplianceChecker.run_checker(
        str(result_file),
        ["cf:1.11"],
        0,
        "normal",
        output_filename=str(tmp_path / "report.json"),
        output_format="json",
        skip_checks=["check_spatiotemporal_dims_have_coordinate_vars"],
    )
    report = json.loads((tmp_path / "report.json").read_text())["cf:1.11"]
    assert report["all_priorities"], "checks were made"
    assert report["high_count"] == 0, [problem["msgs"] for problem in report["high_priorities"]]


def test_plain_netcdf4(result, result_file):
    with netCDF4.Dataset(result_file) as file:
        assert file.Conventions == "CF-1.11"
        for name, variable in result.variables.items():
            values = file[name][:]
            assert file[name].dimensions == variable.dims
            if variable.dtype.kind == "f":
                np.testing.assert_array_equal(np.ma.filled(values, np.nan), variable.values, err_msg=name)
            else:
                np.testing.assert_array_equal(values, variable.values, err_msg=name)


@pytest.mark.parametrize("engine", ["netcdf4", "h5netcdf"])
def test_every_engine_of_xarray(result, result_file, engine):
    with xr.open_dataset(result_file, engine=engine) as ds:
        xr.testing.assert_identical(ds.load(), result)


def test_plain_h5netcdf(result, result_file):
    with h5netcdf.File(result_file, "r") as file:
        np.testing.assert_array_equal(file["mu_e"][:], result.mu_e.values)
        assert file["mu_e"].attrs["units"] == "MeV"


@pytest.mark.skipif(shutil.which("ncdump") is None, reason="ncdump is not installed")
def test_ncdump(result, result_file):
    header = subprocess.run(["ncdump", "-h", result_file], check=True, capture_output=True, text=True).stdout
    for name in result.variables:
        assert f" {name}(" in header, name
    text = subprocess.run(
        ["ncdump", "-p", "9,17", "-v", "mu_e", result_file], check=True, capture_output=True, text=True
    )
    numbers = text.stdout.partition("\ndata:")[2].partition(" mu_e =")[2].partition(";")[0]
    np.testing.assert_array_equal([float(x) for x in numbers.split(",")], result.mu_e.values.ravel())
