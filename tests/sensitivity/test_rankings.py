"""Rankings of derivatives."""

import numpy as np

from gpucrust.sensitivity.rankings import ranking


def test_the_ranking_is_by_derivative_times_error(ds):
    rows = ranking(ds, 0, top=5)
    size = np.sqrt((ds.contribution.isel(output=0) ** 2).mean("member"))
    assert rows[0].name == str(ds.nuclide.values[np.argmax(size.values)])
    assert [row.product for row in rows] == sorted((row.product for row in rows), reverse=True)
    np.testing.assert_allclose(rows[0].product, size.max(), rtol=1e-12)
