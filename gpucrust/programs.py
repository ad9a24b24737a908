"""Programs kept between processes: compiled once, and then neither traced nor compiled again.

JAX's own cache finds a compiled program by its text, which every process must first derive by tracing and lowering;
for the engine that takes longer than to follow a few crusts. Here a program is found by what its text follows from:
this package's source, versions, device, and the types of the arguments. Programs lie in the folder of JAX's cache.
Whatever is wrong with one, it is compiled anew.

Only the command `gpucrust` keeps programs (`cache.use_cache`): a process that changes the package once it is imported,
as a notebook may, would be given programs of the unchanged package.
"""

import contextlib
import functools
import hashlib
import os
import pickle
import uuid
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
from jax.experimental.serialize_executable import deserialize_and_load, serialize

from gpucrust.cache import KEEP_PROGRAMS, cache_folder

LOADED: dict[tuple, Callable[..., Any]] = {}
"""Programs of this process."""


def kept(function: Callable[..., Any], donate_argnums: tuple[int, ...] = ()) -> Callable[..., Any]:
    """`jax.jit` with its programs kept. Positional arguments are traced, those given by keyword are static.

    Called within another traced function it is plain `jax.jit`. Arguments must not be committed to a device.
    """

    @functools.wraps(function)
    def call(*arguments: Any, **static: Any) -> Any:
        jitted = _jitted(function, tuple(sorted(static)), donate_argnums)
        leaves, structure = jax.tree.flatten(arguments)
        folder = _folder()
        if not folder or any(isinstance(leaf, jax.core.Tracer) for leaf in leaves):
            return jitted(*arguments, **static)
        types = tuple((t.shape, str(t.dtype), t.weak_type) for t in map(jax.typeof, leaves))
        device = jax.config.jax_default_device or jax.local_devices()[0]
        key = f"{function.__module__}.{function.__qualname__}", device, structure, types, tuple(sorted(static.items()))
        if key not in LOADED:
            path = Path(folder) / f"{function.__name__}-{_digest(repr(key))}-program"
            LOADED[key] = _load(path, device) or _compile(jitted.lower(*arguments, **static), path)
        return LOADED[key](*arguments)

    return call


@functools.cache
def _jitted(function: Callable[..., Any], static: tuple[str, ...], donate_argnums: tuple[int, ...]) -> Any:
    return jax.jit(function, static_argnames=static, donate_argnums=donate_argnums)


def _folder() -> str | None:
    """Where programs are kept; None where they are not, or where someone looks for a fault."""
    config = jax.config
    wanted = os.environ.get(KEEP_PROGRAMS) == "1" and config.jax_enable_compilation_cache
    return None if not wanted or config.jax_disable_jit or config.jax_debug_nans else config.jax_compilation_cache_dir


def _digest(of_call: str) -> str:
    """Name of a program: all that it follows from."""
    return hashlib.sha256(f"{_surroundings()} {os.environ.get('XLA_FLAGS')} {of_call}".encode()).hexdigest()


@functools.cache
def _surroundings() -> str:
    """This package's source, JAX, jaxlib and the processor, the accelerator's software."""
    source = hashlib.sha256()
    for path in sorted(Path(__file__).parent.rglob("*.py")):
        source.update(path.read_bytes())
    software = jax.local_devices()[0].client.platform_version
    return f"{source.hexdigest()} jax-{jax.__version__} {cache_folder().name} {software}"


def _load(path: Path, device: Any) -> Callable[..., Any] | None:
    try:
        kept = pickle.loads(zlib.decompress(path.read_bytes()))
        return deserialize_and_load(*kept, backend=device.client, execution_devices=[device])
    except Exception:  # not there, cut short, of another JAX: nobody's concern
        return None


def _compile(lowered: jax.stages.Lowered, path: Path) -> Callable[..., Any]:
    """Compile, and keep it if that can be: the disk may be full, the folder another's, the device unable."""
    program = lowered.compile()
    part = path.with_suffix(f".{uuid.uuid4().hex}.part")
    with contextlib.suppress(Exception):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            part.write_bytes(zlib.compress(pickle.dumps(serialize(program)), level=1))
            os.replace(part, path)
        finally:
            part.unlink(missing_ok=True)
    return program
