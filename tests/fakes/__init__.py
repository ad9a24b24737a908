"""Stand-ins for slow parts, and what tests of runs share."""
