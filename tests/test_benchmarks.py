"""Benchmarks run, so that they do not rot; their timings are not tested."""

import importlib.util
from pathlib import Path

import numpy as np


def test_the_ensemble_benchmark_runs(capsys):
    path = Path(__file__).parents[1] / "benchmarks" / "ensemble.py"
    spec = importlib.util.spec_from_file_location("ensemble_benchmark", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    rows = module.main(
        ["--members", "2", "--lanes", "8", "--chunk", "0.01", "--P-end", "1e29", "--engines", "slide", "chunk"]
    )
    assert [row["engine"] for row in rows] == ["numba chunk", "numba slide", "jax slide", "jax chunk"]
    assert all(row["members/s"] > 0 for row in rows)
    assert all(np.isfinite(row["ratio"]) for row in rows)
    assert "members/s" in capsys.readouterr().out
