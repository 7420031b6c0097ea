"""The command line: `main` is its entry point, and each command has a module."""

from lagbias.cli.main import main

__all__ = ["main"]
