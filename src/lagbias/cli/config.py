"""``lagbias config``: the generated pages about the configuration."""

import argparse

from lagbias.cli.arguments import Commands, add_command

__all__ = ["add"]


def add(commands: Commands) -> None:
    """Add the command."""
    parser = add_command(
        commands,
        "config",
        run,
        summary="write or check the pages about the configuration",
        details="config/README.md and the JSON Schema, from the root of the repository.",
        example="lagbias config --write",
    )
    action = parser.add_mutually_exclusive_group(required=True)
    action.add_argument("--write", action="store_true", help="write both files")
    action.add_argument("--check", action="store_true", help="fail if one is out of date")


def run(options: argparse.Namespace) -> None:
    """Write both files, or compare them with what would be written."""
    from lagbias.config import docs

    for path, make in docs.FILES.items():
        text = make()
        if options.write:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        elif not path.exists() or path.read_text(encoding="utf-8") != text:
            raise ValueError(
                f"{path} is out of date. Run `python -m lagbias config --write` in the root of the "
                f"repository."
            )
