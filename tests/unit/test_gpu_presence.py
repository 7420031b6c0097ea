"""The early warning of a GPU that is not there."""

import subprocess
import sys

import pytest

from lagbias.runtime import gpu_presence


@pytest.mark.parametrize(
    ("device", "present", "warns"),
    [("cuda", False, True), ("cuda", True, False), ("auto", False, False), ("cpu", False, False)],
)
def test_only_a_gpu_that_is_asked_for_and_absent_is_reported(tmp_path, device, present, warns):
    signs = [tmp_path / "one", tmp_path / "other"]
    if present:
        signs[1].touch()
    text = gpu_presence.warning(device, signs)
    assert bool(text) == warns
    if warns:
        assert "training.device is 'cuda'" in text and "'auto'" in text


def test_it_does_not_import_pytorch():
    code = (
        "import sys; from lagbias.runtime import gpu_presence; gpu_presence.warning('cuda'); "
        "sys.exit('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"")
