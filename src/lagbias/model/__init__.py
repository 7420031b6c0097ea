"""Trained models for use without the workflow: load, fit, predict, save, export."""
