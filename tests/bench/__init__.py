"""Benchmarks: commands, never tests. `make bench` runs them all and writes medians to build/bench.json."""
