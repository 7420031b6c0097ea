"""The claims of Wu, Muñoz & Eisenstein 2023 as checks on the artefacts of a run.

Each claim is one function, declared with its text, its metric and its threshold. `check.check_all`
tests all of them and `table.write` writes the verdicts.
"""
