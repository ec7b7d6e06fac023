"""How much of each fault there is, where a row and its trial must agree."""

AT_ONCE = 8
"""Processes that do the same at the same time."""
FIT_KILLS = 100
STUDY_KILLS = 20
NOT_THE_END = 0.98
"""Share of a run's lines that are killed at: two runs differ by a few lines."""
STRINGS_EACH = 1000
"""Template strings that are drawn from one number."""
MEMORY = 4_000_000_000
"""Bytes that a lesson may use."""
