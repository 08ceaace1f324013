"""Benchmarks: real server processes, real sockets and baselines, measured in alternation.

`python -m benchmarks`; docs/benchmarks.md tells what is measured. Kubat imports nothing of it.
"""
