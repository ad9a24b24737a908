"""One crust at a time, in plain numbers: records for `gpucrust.sensitivity` (see `gpucrust.scalar.recorder`)."""
