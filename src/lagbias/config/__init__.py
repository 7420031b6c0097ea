"""Typed configuration of a run, its checks and its documentation."""
