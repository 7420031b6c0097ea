"""Boxes of any simulation, read from arrays or snapshots in files."""

from lagbias.sources.files.read import read_box

__all__ = ["read_box"]
