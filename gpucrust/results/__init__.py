"""What came out: the dataset, its files, and what is made of it.

`ground_state_variables` and `layer_variables` are parts of `dataset`, which puts reduced evolutions together to the
variables that `gpucrust.schema` names. `files` writes and opens results. From a result alone, without JAX, `summary`
tells a few numbers, `plots` draws figures, and `html_report` makes a page of both; `export` writes what other tools
read.
"""

from gpucrust.support.lazy import lazy_names

__getattr__, __dir__, __all__ = lazy_names(
    __name__,
    {
        "dataset": "RunInfo build_dataset",
        "export": "ExportError select",
        "files": "open_result write_netcdf",
        "html_report": "write_report",
        "plots": "write_figure",
        "summary": "ModelSummary broken_probability by_mass_model failures mean_flux_ratio regimes_at",
    },
)
