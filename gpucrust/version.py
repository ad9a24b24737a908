"""The version of gpucrust, said once: results, stores and packages carry it."""

__version__ = "0.1.0.dev0"
