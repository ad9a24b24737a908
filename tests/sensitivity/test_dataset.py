"""The dataset of derivatives: it says what matters, for every family of parameters."""

import numpy as np
import pytest

from gpucrust.sensitivity import run_sensitivity
from recorded_crusts import MDOT, G


def test_the_dataset_says_what_matters(ds):
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


@pytest.mark.parametrize("wrt", ["dz31", "g", "neutron_eos"])
def test_every_family_has_a_dataset(two_models, ds, wrt):
    other = run_sensitivity(two_models, "total_heat,broken_thickness", wrt)
    assert other.derivative.dims == ("member", "output", "parameter")
    assert np.isfinite(other.derivative).all()
    np.testing.assert_allclose(other.value, ds.value.isel(output=[0, 1]), rtol=1e-12)
    if wrt == "g":
        # thickness goes as 1/g at fixed g mdot, and composition depends on g mdot alone: mdot's derivative tells it
        by_mdot = run_sensitivity(two_models, "total_heat,broken_thickness", "mdot").derivative.values[..., 0]
        expected = (by_mdot * MDOT - np.array([0.0, 1.0]) * other.value.values) / G
        np.testing.assert_allclose(other.derivative.values[..., 0], expected, rtol=1e-9)
