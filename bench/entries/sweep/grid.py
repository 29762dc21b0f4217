"""The combinations, for all. Standard library only."""

FASTS = tuple(range(5, 25, 2))
SLOWS = tuple(range(30, 80, 5))
