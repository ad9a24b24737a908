"""Portions computed on a device: the same bits whatever the portions, and progress that only rises."""

import numpy as np

from fakes.sweep import assert_same, load
from gpucrust.jobs import computing
from gpucrust.jobs.in_memory import compute
from gpucrust.jobs.to_file import run_to_file


def test_the_engine_gives_the_same_bits_in_chunks(plan, undisturbed, tmp_path):
    """8 lanes, where the kept evolutions had 64."""
    run_to_file(plan, tmp_path / "x.nc", save_every=8)
    assert_same(load(tmp_path / "x.nc"), undisturbed)


def test_lanes_go_on_from_chunk_to_chunk_and_progress_only_rises(plan, undisturbed, monkeypatch):
    """Through four streams of two chunks, all but the last of 16 evolutions in up to 64 lanes."""
    monkeypatch.setattr(computing, "STREAM", 16)
    standings = []
    ds = compute(plan, save_every=8, progress=standings.append)
    for name in ("status", "mu_e", "layer_P_start", "layer_thickness", "max_J_ratio"):
        np.testing.assert_array_equal(ds[name], undisturbed[name], err_msg=name)
    assert len(standings) > 8
    for values in ([s.done for s in standings], [s.failed for s in standings], [s.fraction for s in standings]):
        assert np.all(np.diff(values) >= -1e-12)
    last = standings[-1]
    assert (last.done, last.failed, last.total, last.fraction) == (60, 30, 60, 1.0)
