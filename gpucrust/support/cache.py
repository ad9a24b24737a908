"""Where compiled programs are kept between runs, so that only the first run of a machine compiles."""

import hashlib
import os
import platform
from importlib.metadata import version
from pathlib import Path

import platformdirs


def cache_folder() -> Path:
    """Folder of this machine's compiled programs: another for every jaxlib and every kind of processor.

    JAX tells accelerators apart by itself, but takes a program compiled for one CPU to be good for another, which a
    home directory shared by a cluster's nodes would make a crash.
    """
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        processor = next((line for line in lines if line.startswith(("flags", "Features"))), "")
    except OSError:
        processor = platform.processor()
    kind = hashlib.sha256(processor.encode()).hexdigest()[:12]
    return Path(platformdirs.user_cache_dir("gpucrust")) / f"jaxlib-{version('jaxlib')}-{platform.machine()}-{kind}"


KEEP_PROGRAMS = "GPUCRUST_KEEP_PROGRAMS"
"""Environment: 1 where `gpucrust.support.persistent_jit` keeps programs."""


def use_cache() -> None:
    """Keep compiled programs there, unless the environment says otherwise; before JAX is imported.

    XLA reports features of the processor that it compiled for but does not find again in a program from the cache;
    they are preferences of its own, not instructions, and nothing that a user should read.
    """
    os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(cache_folder()))
    os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
    os.environ.setdefault(KEEP_PROGRAMS, "1")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
