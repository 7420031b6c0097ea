"""The wheel, in an empty directory: from `pip install` to a halo field and its power spectrum."""

import subprocess
import sys
import zipfile

import pytest

pytestmark = pytest.mark.workflow

TOUR = """
import lagbias
from pathlib import Path

assert Path(lagbias.__file__).is_relative_to({installed!r}), lagbias.__file__
model = lagbias.load("wu2023-1Rf")
box = lagbias.simulate_box(0, box_size=64.0, particles_per_side=32, steps=3, threads=1)
given = {{"box_size": 64.0, "grid": 16, "threads": 1}}
arrays = box.linear_density.delta, box.particles.position
field = model.predict(*arrays, **given)
power = model.halo_power(*arrays, **given)
print(field.shape, len(power.k))
"""


@pytest.fixture(scope="module")
def wheel(repository, tmp_path_factory):
    """The built wheel."""
    target = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel"]
    subprocess.run([*command, "--directory", target], cwd=repository, check=True)
    (found,) = target.glob("*.whl")
    return found


def test_the_wheel_holds_all_files_of_the_package(wheel, repository):
    package = repository / "src"
    expected = {
        str(path.relative_to(package))
        for path in (package / "lagbias").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    held = {name for name in zipfile.ZipFile(wheel).namelist() if name.startswith("lagbias/")}
    assert held == expected
    assert {"lagbias/py.typed", "lagbias/model/weights/SHA256SUMS"} < held


def test_a_halo_field_from_an_empty_directory(wheel, tmp_path):
    installed = tmp_path / "installed"
    zipfile.ZipFile(wheel).extractall(installed)
    empty = tmp_path / "empty"
    empty.mkdir()
    code = f"import sys; sys.path.insert(0, {str(installed)!r})\n" + TOUR.format(
        installed=str(installed)
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=empty, capture_output=True, text=True, check=True
    )
    assert done.stdout.split("\n")[0] == "(16, 16, 16) 8"
