"""The directive ``commands``: the help of every command of ``lagbias``."""

import argparse
import os
from unittest.mock import patch

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from lagbias.cli.main import COMMANDS


class Commands(SphinxDirective):
    """A section for each command, with its help."""

    def run(self) -> list[nodes.Node]:
        """Return the sections."""
        parser = argparse.ArgumentParser(prog="lagbias")
        commands = parser.add_subparsers()
        for module in COMMANDS:
            module.add(commands)
            self.env.note_dependency(module.__file__)
        with patch.dict(os.environ, COLUMNS="88", NO_COLOR="1"):
            helps = {name: found.format_help() for name, found in commands.choices.items()}
        return [self._section(f"lagbias {name}", text) for name, text in helps.items()]

    def _section(self, title: str, text: str) -> nodes.section:
        section = nodes.section(ids=[nodes.make_id(title)], names=[title])
        section += nodes.title(title, title)
        section += nodes.literal_block(text, text, language="text")
        return section


def setup(app: Sphinx) -> dict:
    """Register the extension."""
    app.add_directive("commands", Commands)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
