"""Benchmarks run, so that they do not rot; their timings are not tested."""

import importlib.util

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from paths import ROOT


def benchmark(name):
    path = ROOT / "benchmarks" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"{name}_benchmark", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_ensemble_benchmark_runs(capsys):
    short = ["--members", "2", "--lanes", "8", "--chunk", "0.01", "--P-end", "1e29"]
    rows = benchmark("ensemble").main([*short, "--engines", "slide", "chunk"])
    assert [row["engine"] for row in rows] == ["numba chunk", "numba slide", "jax slide", "jax chunk"]
    assert all(row["members/s"] > 0 for row in rows)
    assert all(np.isfinite(row["ratio"]) for row in rows)
    assert "members/s" in capsys.readouterr().out


def test_the_scheduler_benchmark_runs(capsys):
    pytest.importorskip("distributed")
    small = ["--chunks", "20", "--workers", "1", "--members", "8", "--step", "0.05", "--P-end", "1e28"]
    without, with_profiles, *chunks = benchmark("scheduler").main(small)
    assert with_profiles["store bytes"] > without["store bytes"] > 0
    assert all(row["ms a chunk"] > 0 for row in chunks)
    assert "ms a chunk" in capsys.readouterr().out


def test_the_first_result_benchmark_runs(capsys):
    rows = benchmark("first_result").main(["--warm", "1", "models"])
    assert [row["what"] for row in rows] == ["imports", "cold", "warm"]
    assert all(row["wall s"] > 0 for row in rows)
    assert "wall s" in capsys.readouterr().out


def test_the_benchmark_of_many_crusts_runs(capsys):
    row = benchmark("many").main(["--members", "8", "--P-end", "1e28"])
    assert row["members/s"] > 0
    assert row["processor ms/member"] > 0
    assert "foretold GiB" in capsys.readouterr().out


def test_limits_are_of_what_a_crust_takes(capsys):
    few, many = (benchmark("limits").main(["--steps", str(n), "--rate", "100"]) for n in (1000, 2000))
    for one, other in zip(few, many, strict=True):
        by_work = "limit by operations, crusts/s"
        assert one[by_work] == pytest.approx(2 * other[by_work])
        assert 0 < one["limit, crusts/s"] <= one[by_work]
        assert one["measured is below by"] == pytest.approx(one["limit, crusts/s"] / 100)
    assert "bytes" in capsys.readouterr().out


def test_what_a_compiled_loop_does_is_counted():
    """Seven times round: one launch that reads and writes 100 numbers, but for what counts the laps."""
    compiled = benchmark("compiled")
    loop = jax.jit(lambda x: jax.lax.fori_loop(0, 7, lambda _, x: jnp.sin(x) * x + 1, x))
    text = loop.lower(jax.ShapeDtypeStruct((100,), jnp.float32)).compile().as_text()
    counts = compiled.count(*compiled.instructions(text))
    assert counts["asked"] == 0
    assert 7 <= counts["launches"] <= 16
    assert 7 * 800 <= counts["bytes"] <= 8 * 800 + 200


def test_bytes_are_of_the_parts_that_a_program_picks_or_changes():
    compiled = benchmark("compiled")
    program = jax.jit(lambda x, i: x.at[i].set(2 * x[i + 1]), donate_argnums=0)
    shapes = jax.ShapeDtypeStruct((10_000,), jnp.float32), jax.ShapeDtypeStruct((), jnp.int32)
    counts = compiled.count(*compiled.instructions(program.lower(*shapes).compile().as_text()))
    assert 0 < counts["bytes"] < 100


def test_the_engine_is_counted_as_compiled(capsys):
    row = benchmark("compiled").main(["--lanes", "8", "--platform", "cpu"])
    assert row["launches a step"] > 1
    assert 0 < row["by both"] < row["crusts/s at most, by bytes"]
    assert "GiB" in capsys.readouterr().out
