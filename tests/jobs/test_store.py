"""The store of a run: what is computed is known, whatever broke off."""

import numpy as np
import pytest

from fakes.sweep import stop_after
from gpucrust.jobs.partial_folder import PartialFolder
from gpucrust.jobs.store import PENDING, Store, StoreError
from gpucrust.jobs.to_file import run_to_file
from gpucrust.sweep.plan import make_portions
from gpucrust.sweep.provenance import identity


def test_a_new_store_is_all_pending(plan, tmp_path):
    store = Store.create(tmp_path / "store", plan.reduced_arrays, identity(plan), make_portions(plan, 16))
    assert store.pending() == [0, 1, 2, 3]
    assert store.status().size == 0
    assert store.identity == identity(plan)
    assert np.asarray(store.arrays["status"][:]).tolist() == [PENDING] * 60
    assert store.damaged() == []


def test_status_is_written_last(plan, played_back, tmp_path, monkeypatch):
    """A chunk whose writing breaks off anywhere before its status is pending."""
    target = tmp_path / "x.nc"
    with pytest.raises(KeyboardInterrupt):
        run_to_file(plan, target, save_every=8, progress=stop_after(8))
    store = Store(PartialFolder(target).store)
    reduced = store.read(0, 8)
    written = []
    array = Store._array

    def logged(self, name):
        written.append(name)
        if name == "status":
            raise OSError("the disk has gone")
        return array(self, name)

    monkeypatch.setattr(Store, "_array", logged)
    with pytest.raises(OSError, match="gone"):
        store.write(1, reduced)
    assert written[-2:] == ["checksum", "status"]
    assert {"summary", "layers", "layer_count", "profiles"} <= set(written[:-2])
    monkeypatch.undo()
    assert 1 in store.pending()


def test_a_store_that_is_none(plan, played_back, tmp_path):
    folder = PartialFolder(tmp_path / "x.nc")
    folder.store.mkdir(parents=True)
    (folder.store / "zarr.json").write_text("{}")
    with pytest.raises(StoreError, match="--overwrite starts afresh"):
        run_to_file(plan, tmp_path / "x.nc", resume=True)
