"""Programs kept between processes, so that only the first traces them.

JAX finds what XLA made of a program by the program's text, which every process must first derive by tracing and
lowering; for the engine that takes longer than to follow a few crusts. Here the text is kept too, in the same folder,
as `jax.export` writes it, and found by what it follows from: this package's source, JAX, the platform, the types of the
arguments. Whatever is wrong with a file, the program is traced anew.

Only the command `gpucrust` keeps programs (`cache.use_cache`): a process that changes the package once it is imported,
as a notebook may, would be given programs of the unchanged package.
"""

import functools
import hashlib
import os
import pickle
import time
import uuid
import zlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import jax
from jax import export

from gpucrust.support.cache import KEEP_PROGRAMS

P = ParamSpec("P")
T = TypeVar("T")
CONFIG: Any = jax.config
"""The configuration of JAX, whose settings type checkers do not know."""
KEPT_SECONDS = 90 * 86400.0
"""Time after which a program that no process has asked for is removed, s: 90 days."""
KNOWN: dict[tuple, Callable[..., Any]] = {}
"""Programs that this process has read or traced, by what they follow from: functions of the leaves of arguments."""


def kept(function: Callable[P, T], donate_first: bool = False) -> Callable[P, T]:
    """`jax.jit` with its programs kept: positional arguments are traced, those given by keyword are static.

    donate_first: the first argument may be overwritten. Called while something else is traced it is `jax.jit` alone.
    """

    @functools.wraps(function)
    def call(*arguments: P.args, **static: P.kwargs) -> T:
        direct = _jitted(function, tuple(sorted(static)), donate_first)
        leaves, structure = jax.tree.flatten(arguments)
        folder = _folder()
        if folder is None or any(isinstance(leaf, jax.core.Tracer) for leaf in leaves):
            return direct(*arguments, **static)
        types = tuple((t.shape, str(t.dtype), t.weak_type) for t in map(jax.typeof, leaves))
        on_cpu = (CONFIG.jax_default_device or jax.local_devices()[0]).platform == "cpu"
        platform = "cpu" if on_cpu else export.default_export_platform()  # of "gpu" there are several
        key = function.__module__, function.__name__, platform, structure, types, tuple(sorted(static.items()))
        if key not in KNOWN:
            name = hashlib.sha256(f"{_source()} {jax.__version__} {key}".encode()).hexdigest()
            path = folder / f"{function.__name__}-{name}-program"
            n_donated = len(jax.tree.leaves(arguments[0])) if donate_first else 0
            trace = functools.partial(_traced, functools.partial(function, **static), structure, leaves, platform)
            program = _find(path, trace, n_donated)
            KNOWN[key] = program or (lambda *leaves: direct(*jax.tree.unflatten(structure, leaves), **static))
        return KNOWN[key](*leaves)

    return call


@functools.cache
def _jitted(function: Callable[..., Any], static: tuple[str, ...], donate_first: bool) -> Any:
    return jax.jit(function, static_argnames=static, donate_argnums=(0,) if donate_first else ())


def _folder() -> Path | None:
    """Where programs are kept; None where they are not, or where someone looks for a fault."""
    wanted = os.environ.get(KEEP_PROGRAMS) == "1" and CONFIG.jax_enable_compilation_cache
    folder = CONFIG.jax_compilation_cache_dir
    return Path(folder) if wanted and folder and not (CONFIG.jax_disable_jit or CONFIG.jax_debug_nans) else None


@functools.cache
def _source() -> str:
    """Digest of this package's source."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.parent.rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _find(path: Path, trace: Callable[[], bytes], n_donated: int) -> Callable[..., Any] | None:
    """The program kept at `path`, or else traced and kept there; None if JAX cannot export it."""
    with suppress(Exception):  # it is not there, or cut short
        program = _program(path.read_bytes(), n_donated)
        with suppress(OSError):
            os.utime(path)
        return program
    with suppress(Exception):  # what is wrong with the arguments shows without export too
        whole = trace()
        program = _program(whole, n_donated)
        with suppress(OSError):
            _write(path, whole)
        return program
    return None


def _traced(function: Callable[..., Any], structure: Any, leaves: list, platform: str) -> bytes:
    """The program of a function as it is kept; the checksum of zlib tells whether it is whole."""
    of_result = None

    def flat(*leaves: Any) -> list:
        nonlocal of_result
        results, of_result = jax.tree.flatten(function(*jax.tree.unflatten(structure, leaves)))
        return results

    exported = export.export(jax.jit(flat), platforms=(platform,))(*leaves)
    return zlib.compress(pickle.dumps((exported.serialize(), of_result)))


def _program(whole: bytes, n_donated: int) -> Callable[..., Any]:
    """What `_traced` has returned, as a function of leaves."""
    text, of_result = pickle.loads(zlib.decompress(whole))
    flat = jax.jit(export.deserialize(text).call, donate_argnums=tuple(range(n_donated)))
    return lambda *leaves: jax.tree.unflatten(of_result, flat(*leaves))


def _write(path: Path, whole: bytes) -> None:
    part = path.with_name(f"{path.name}.{uuid.uuid4().hex}")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        part.write_bytes(whole)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
    for old in path.parent.glob("*-program"):
        with suppress(OSError):  # others remove them too
            if time.time() - old.stat().st_mtime > KEPT_SECONDS:
                old.unlink()
