"""Runs that are made again as backtests, and what explains the differences: `docs/parity.md`."""
