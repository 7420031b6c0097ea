"""Adam without PyTorch's optimiser class: the same steps, without what that class loads."""

import subprocess
import sys

import torch

from lagbias.training.optimiser import Adam


def quadratic(parameters, step):
    """A loss whose gradients differ from step to step and from parameter to parameter."""
    return sum(((p - 0.1 * step) ** 2 * (n + 1)).sum() for n, p in enumerate(parameters))


def test_steps_are_those_of_pytorch_bit_by_bit():
    generator = torch.Generator().manual_seed(1)
    shapes = [(5, 3), (5,), (1, 5), (1,)]
    start = [torch.randn(shape, generator=generator) for shape in shapes]
    ours, theirs = ([torch.nn.Parameter(p.clone()) for p in start] for _ in range(2))
    optimiser = Adam(ours)
    reference = torch.optim.Adam(theirs, fused=True)
    for step in range(20):
        rate = 2e-3 * 0.9**step
        optimiser.clear_gradients()
        quadratic(ours, step).backward()
        optimiser.step(rate)
        reference.zero_grad()
        quadratic(theirs, step).backward()
        reference.param_groups[0]["lr"] = rate
        reference.step()
        for a, b in zip(ours, theirs, strict=True):
            assert torch.equal(a, b)
    assert [step.item() for step in optimiser.steps] == [20.0] * 4


def test_training_does_not_load_a_compiler():
    code = (
        "import sys, torch; import lagbias.training.loop; from lagbias.training.network import HaloToMassNet; "
        "from lagbias.training.optimiser import Adam; "
        "net = HaloToMassNet(3, generator=torch.Generator().manual_seed(0)); "
        "Adam(net.parameters()); "
        "net(torch.ones(4, 3)).sum().backward(); "
        "sys.exit('torch._dynamo' in sys.modules or 'sympy' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"")
