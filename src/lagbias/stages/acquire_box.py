"""Acquisition of the files of one AbacusSummit box."""

from lagbias.sources.abacus.acquisition import acquire_box

__all__ = ["acquire_box"]
