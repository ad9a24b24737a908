"""Where compiled programs are kept."""

import os

from gpucrust.support import cache


def test_the_cache_belongs_to_one_kind_of_processor(monkeypatch):
    monkeypatch.delenv("JAX_COMPILATION_CACHE_DIR", raising=False)
    cache.use_cache()
    assert os.environ["JAX_COMPILATION_CACHE_DIR"] == str(cache.cache_folder())
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", "elsewhere")
    cache.use_cache()
    assert os.environ["JAX_COMPILATION_CACHE_DIR"] == "elsewhere"
