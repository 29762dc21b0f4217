"""Benchmarks: ours and others' software on the same data, in fresh processes. See README.md."""
