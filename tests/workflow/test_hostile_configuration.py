"""Configuration files that try to run something, through Snakemake itself."""

import pytest

pytestmark = pytest.mark.workflow


@pytest.mark.parametrize(
    "text",
    [
        "x: !!python/object/apply:os.system ['touch touched']\n",
        "x: !!python/object/new:os.system ['touch touched']\n",
        "run: !!python/name:os.system\n",
        "a0: &a0 [x, x, x, x]\na1: &a1 [*a0, *a0, *a0]\nseeds: [*a1, *a1]\n",
        'run: "a\\0b"\n',
        "run: ../../elsewhere\n",
    ],
)
def test_it_is_refused_and_nothing_is_touched(new_checkout, text):
    checkout = new_checkout("checkout")
    (checkout.root / "hostile.yaml").write_text(text)
    before = {path.name for path in checkout.root.iterdir()}
    printed = checkout.snakemake(
        "--dry-run", "--configfile", "config/tiny.yaml", "hostile.yaml", check=False
    )
    assert "Traceback" not in printed
    assert "The configuration cannot be used." in printed or "not valid JSON or YAML" in printed
    assert {path.name for path in checkout.root.iterdir()} - before <= {".snakemake"}
