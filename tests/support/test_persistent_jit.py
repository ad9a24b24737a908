"""Programs that are kept give what `jax.jit` gives, whatever became of their files."""

import os
import subprocess
import sys
import time
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gpucrust.engine.ensemble import evolve
from gpucrust.engine.inputs import Members, Physics, Problem, Stepper
from gpucrust.masses import load_model
from gpucrust.support import cache, persistent_jit


class Pair(NamedTuple):
    x: jax.Array
    y: jax.Array | None


traced = []
"""A line each time that `tripled` is traced."""


def tripled(pair, factor, *, times=3):
    traced.append(times)
    return Pair(pair.x * times * factor, None), {"sum": pair.x.sum() + (0.0 if pair.y is None else pair.y)}


KEPT = persistent_jit.kept(tripled)
PAIR = Pair(jnp.arange(4.0), jnp.array(2.0))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Where programs are kept, as by the command."""
    monkeypatch.setenv(cache.KEEP_PROGRAMS, "1")
    before = jax.config.jax_compilation_cache_dir
    jax.config.update("jax_compilation_cache_dir", str(tmp_path / "programs"))
    persistent_jit.KNOWN.clear()
    traced.clear()
    yield tmp_path / "programs"
    persistent_jit.KNOWN.clear()
    jax.config.update("jax_compilation_cache_dir", before)


def kept_files(folder):
    return sorted(folder.glob("*-program"))


def assert_right(result):
    product, sums = result
    np.testing.assert_array_equal(product.x, np.arange(4.0) * 6)
    assert type(product) is Pair
    assert product.y is None
    assert sums == {"sum": 8.0}


def call(**static):
    return KEPT(PAIR, 2.0, **static)


def test_a_program_is_traced_once_and_read_by_the_next_process(folder):
    for _ in range(2):
        assert_right(call())
        assert_right(call())
        persistent_jit.KNOWN.clear()  # as in a new process
    assert len(traced) == len(kept_files(folder)) == 1


def test_programs_that_nobody_asks_for_are_removed(folder):
    """When another is kept; one that is read is asked for."""
    call()
    old = time.time() - 2 * persistent_jit.KEPT_SECONDS
    (unused,) = kept_files(folder)
    os.utime(unused, (old, old))
    persistent_jit.KNOWN.clear()
    call()
    call(times=4)
    assert len(kept_files(folder)) == 2
    os.utime(unused, (old, old))
    call(times=5)
    assert len(kept_files(folder)) == 2
    assert not unused.exists()


def test_programs_differ_by_all_that_they_follow_from(folder, monkeypatch):
    calls = [
        call,
        partial(call, times=4),
        lambda: KEPT(PAIR._replace(x=jnp.arange(5.0)), 2.0),  # shape
        lambda: KEPT(PAIR._replace(x=jnp.arange(4)), 2.0),  # type
        lambda: KEPT(PAIR, np.float64(2.0)),  # no longer a weak type
        lambda: KEPT(PAIR._replace(y=None), 2.0),  # structure
    ]
    for n, one in enumerate(calls, 1):
        one()
        assert len(traced) == len(kept_files(folder)) == n
    persistent_jit.KNOWN.clear()
    monkeypatch.setattr(persistent_jit, "_source", lambda: "another version of gpucrust")
    call()
    assert len(traced) == len(kept_files(folder)) == len(calls) + 1


@pytest.mark.parametrize("damage", [lambda whole: whole[: len(whole) // 2], lambda _: b"", lambda _: b"no program"])
def test_a_damaged_file_is_replaced(folder, damage):
    call()
    (path,) = kept_files(folder)
    path.write_bytes(damage(path.read_bytes()))
    for _ in range(2):
        persistent_jit.KNOWN.clear()
        assert_right(call())
    assert len(traced) == 2


def test_a_flipped_bit_is_noticed(folder):
    call()
    (path,) = kept_files(folder)
    whole = bytearray(path.read_bytes())
    whole[len(whole) // 2] ^= 1
    path.write_bytes(whole)
    persistent_jit.KNOWN.clear()
    assert_right(call())
    assert len(traced) == 2


def test_where_nothing_can_be_written_programs_run_all_the_same(folder):
    folder.write_text("a file where the folder should be")
    assert_right(call())
    assert_right(call())
    assert len(traced) == 1


def test_what_jax_cannot_export_runs_all_the_same(folder):
    def asks_python(x):
        return jax.pure_callback(np.sin, jax.ShapeDtypeStruct(x.shape, x.dtype), x)

    x = np.linspace(0.0, 1.0, 3)
    np.testing.assert_array_equal(persistent_jit.kept(asks_python)(x), np.sin(x))
    assert not kept_files(folder)


def test_errors_of_a_function_are_its_own(folder):
    def refuses(x):
        raise TypeError("no such number")

    with pytest.raises(TypeError, match="no such number"):
        persistent_jit.kept(refuses)(1.0)


def test_inside_another_program_it_is_part_of_it(folder):
    slope = jax.grad(lambda x: KEPT(PAIR._replace(x=x), 2.0)[0].x.sum())(jnp.ones(4))
    np.testing.assert_array_equal(slope, 6 * np.ones(4))
    assert not kept_files(folder)


@pytest.mark.parametrize("off", ["the switch", "JAX's cache"])
def test_programs_are_kept_only_where_they_are_wanted(folder, monkeypatch, off):
    if off == "the switch":
        monkeypatch.setenv(cache.KEEP_PROGRAMS, "0")
    else:
        jax.config.update("jax_compilation_cache_dir", None)
    assert_right(call())
    assert not folder.exists()


def test_the_command_keeps_programs_unless_told_otherwise(monkeypatch):
    names = ("JAX_COMPILATION_CACHE_DIR", cache.KEEP_PROGRAMS)
    for name in names:
        monkeypatch.delenv(name, raising=False)
    cache.use_cache()
    assert [os.environ[name] for name in names] == [str(cache.cache_folder()), "1"]
    for name in names:
        monkeypatch.setenv(name, "mine")
    cache.use_cache()
    assert [os.environ[name] for name in names] == ["mine", "mine"]


def test_a_second_command_says_the_same(tmp_path):
    environment = {**os.environ, "JAX_COMPILATION_CACHE_DIR": str(tmp_path), cache.KEEP_PROGRAMS: "1"}
    command = [sys.executable, "-m", "gpucrust.cli", "models"]

    def models():
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        return done.stdout, sorted((path, path.stat().st_ino) for path in kept_files(tmp_path))

    first, second = models(), models()
    assert first == second
    assert len(first[1]) > 0


def test_crusts_are_the_same_bits(folder):
    """Lanes are donated and refilled, profiles, reactions and compositions taken out."""
    pressures = np.geomspace(1e27, 2e30, 60)
    models = [load_model("FRDM95+DZ31")]
    n = 20
    members = Members(np.zeros(n, int), np.arange(n) % 2, np.zeros(n), np.arange(n) // 2, np.full(n, 6e18))
    ashes = [{(26, 30): 1.0}, {(26, 30): 0.5, (28, 28): 0.5}]
    stepper = Stepper(step=0.05, slots=12, composition=True, trace=50)

    def crusts():
        return evolve(members, Problem(models, ashes, pressures, Physics(sigma=0.5), stepper), batch=8)

    kept = crusts()
    names = {path.name.split("-")[0] for path in kept_files(folder)}
    assert {"start_lanes", "advance", "refill", "results_of", "_pair_table"} <= names
    os.environ[cache.KEEP_PROGRAMS] = "0"  # put back by the fixture
    direct = crusts()
    assert np.all(np.isfinite(kept.profiles["n_b"]))
    for a, b in zip(jax.tree.leaves(vars(kept)), jax.tree.leaves(vars(direct)), strict=True):
        assert a.tobytes() == b.tobytes()
