"""Times of the hot stages of lagbias beside straightforward versions of the same.

Run it as ``python -m benchmarks.suite`` from the root of the repository, or as ``make benchmark``;
docs/performance.md says what it measures.
"""
