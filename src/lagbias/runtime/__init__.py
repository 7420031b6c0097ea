"""Devices, threads, progress, atomic files and messages."""
