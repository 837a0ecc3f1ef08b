"""Benchmarks: workloads as data, engines as adapters, one command (`run.py`). Nothing here is part of the
package.
"""
