"""The chart of masses that decide."""

import numpy as np

from gpucrust.sensitivity.chart import plot_chart
from gpucrust.sensitivity.rankings import most_telling


def test_the_chart_shows_every_nuclide_that_matters(ds):
    output = most_telling(ds)
    figure = plot_chart(ds, output)
    marks = next(x for x in figure.axes[0].collections if x.get_array() is not None)
    size = np.sqrt((np.nan_to_num(ds.contribution.isel(output=output)) ** 2).mean(axis=0))
    shown = size > 1e-3 * size.max()
    np.testing.assert_allclose(np.sort(marks.get_array()), np.sort(size[shown]), rtol=1e-12)
    places = {tuple(x) for x in marks.get_offsets().astype(int).tolist()}
    assert places == set(zip(ds.nuclide_N.values[shown].tolist(), ds.nuclide_Z.values[shown].tolist(), strict=True))
