"""Rankings of a dataset of derivatives: which nuclides or parameters tell most about an output."""

from typing import NamedTuple

import numpy as np
import xarray as xr

NEGLIGIBLE = 1e-9
"""Part of the largest derivative or product of an output below which others are rounding, and are left out."""


class Ranked(NamedTuple):
    """One nuclide or parameter for one output, over all members."""

    name: str
    """Its name."""
    derivative: float
    """Derivative of the output by it, of the member where it tells most."""
    sigma: float
    """Error of a mass, MeV; of another parameter its value, for a relative change."""
    product: float
    """Derivative times sigma, root mean square over members."""
    margin: float
    """Least shift, over members, of a mass that may change the sequence, MeV; NaN for other parameters."""


def ranking(ds: xr.Dataset, output: int, top: int = 10) -> list[Ranked]:
    """The nuclides or parameters that tell most about an output, by root mean square over members of the product.

    Of masses the product is derivative times sigma; of other parameters derivative times value, the change of the
    output by a relative change of the parameter, or the derivative itself where a value may be 0.
    """
    masses = "nuclide" in ds.dims
    names = ds["nuclide" if masses else "parameter"].values
    derivative = ds.derivative.isel(output=output).values
    weight = ds["sigma" if masses else "parameter_value"].values
    if not masses and np.any(weight == 0):
        weight = np.ones_like(weight)
    product = np.nan_to_num(derivative * weight)
    size = np.sqrt(np.mean(product**2, axis=0))
    margin = np.nan_to_num(ds.nuclide_margin.values, nan=np.inf) if masses else np.full_like(weight, np.nan)
    order = np.argsort(-size, kind="stable")[:top]
    return [
        Ranked(str(names[k]), float(derivative[m, k]), float(weight[m, k]), float(size[k]), float(margin[:, k].min()))
        for k in order[size[order] > NEGLIGIBLE * size.max()]
        for m in [int(np.argmax(np.abs(product[:, k])))]
    ]


def most_telling(ds: xr.Dataset) -> int:
    """The output whose relative error by masses is the largest, over members."""
    scale = np.nanmean(np.abs(ds.value.values), axis=0)
    spread = np.sqrt(np.nanmean(ds.linear_std.values**2, axis=0))
    return int(np.nanargmax(np.where(scale > 0, spread / np.where(scale > 0, scale, 1.0), -1.0)))
