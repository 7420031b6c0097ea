"""A GPU that is asked for and absent is reported before the first job."""

import pytest
import yaml

from lagbias.runtime import gpu_presence

pytestmark = pytest.mark.workflow


@pytest.mark.skipif(not gpu_presence.warning("cuda"), reason="needs a machine without a GPU driver")
def test_a_missing_gpu_is_reported_once_before_the_first_job(new_checkout):
    checkout = new_checkout("checkout")
    (checkout.root / "changes.yaml").write_text(yaml.safe_dump({"training": {"device": "cuda"}}))
    chosen = ("--configfile", "config/tiny.yaml", "changes.yaml")
    text = checkout.snakemake(*chosen, "--dry-run")
    assert text.count("this machine has no GPU driver") == 1
    assert text.index("has no GPU driver") < text.index("simulate_box")
