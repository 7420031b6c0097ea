"""The configuration of a run, merged from files as Snakemake does."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lagbias.config.model import Config

__all__ = ["load", "merge"]

#: The default, in the working directory, or else in the checkout that this module belongs to.
_DEFAULT = Path("config", "config.yaml")
_CHECKOUT = Path(__file__).parents[3]


def load(path: Path) -> Config:
    """Read a configuration file on top of the default one.

    Raises
    ------
    ValueError
        If the file is no YAML, or the configuration is invalid.
    OSError
        If the file cannot be read.
    """
    from lagbias.config import model

    default = next((p for p in (_DEFAULT, _CHECKOUT / _DEFAULT) if p.exists()), None)
    return model.load(merge({} if default is None else _read(default), _read(path)))


def merge(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Lay one configuration over another: mappings are merged, everything else is replaced."""
    merged = dict(below)
    for key, value in above.items():
        if isinstance(value, Mapping):
            under = merged.get(key)
            value = merge(under if isinstance(under, Mapping) else {}, value)
        merged[key] = value
    return merged


def _read(path: Path) -> Mapping[str, Any]:
    import yaml

    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise OSError(f"{path} cannot be read ({error.strerror}). Correct its name.") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is no YAML file: {error}") from error
    if not isinstance(found, Mapping):
        raise ValueError(f"{path} holds no mapping of keys to values. See config/README.md.")
    return found
