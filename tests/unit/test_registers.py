"""Kernels for every instruction set: the choice, and equal results of those that run here."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from numba.core.codegen import get_host_cpu_features

from lagbias.training.cpu_kernels.registers import choose

# Kernels of one instruction set differ from those of another in the order of no sum.
PROGRAM = """
import json, numpy as np, torch
from lagbias.training.cpu_kernels import network_kernels
from lagbias.training.cpu_kernels.registers import REGISTERS
from lagbias.training.torch_network import HaloToMassNet

results = []
for n_inputs, layers, width, particles in [(7, 5, 64, 500), (3, 2, 33, 200), (17, 2, 96, 11)]:
    network = HaloToMassNet(n_inputs, layers, width, generator=torch.Generator().manual_seed(1))
    inputs = np.random.default_rng(2).normal(size=(particles, n_inputs)).astype(np.float32)
    packed = network.layout.packed(network.flat.detach().numpy())
    network_kernels.transpose(packed)
    none, output, f = (np.empty(n, np.float32) for n in (0, particles, particles))
    network_kernels.forward(inputs, packed, output, none, none)
    network_kernels.power_of_ten(output, f)
    gradient, d_inputs = np.zeros(len(network.flat)), np.empty_like(inputs)
    network_kernels.backward(inputs, packed, f, gradient, d_inputs, none, none)
    results += [array.ravel().tolist() for array in (f, gradient, d_inputs)]
print(json.dumps([REGISTERS.name, results]))
"""

AVX2 = "+avx2,+fma,+avx,+sse4.2,+sse4.1,+ssse3,+sse3,+sse2,+sse,+popcnt,+f16c,+bmi,+bmi2"
SSE = "+sse4.2,+sse4.1,+ssse3,+sse3,+sse2,+sse,+popcnt"
#: Between instruction sets, relative to the largest number: float32 rounds by 6e-8, and where there
#: are no fused operations each of some hundred terms is rounded twice.
ROUNDING = 2e-6


@pytest.mark.parametrize(
    ("features", "machine", "name"),
    [
        ("+avx512f,+avx2,+fma", "x86_64", "AVX-512"),
        (AVX2, "x86_64", "AVX2"),
        ("+avx2", "AMD64", "SSE"),
        (SSE, "x86_64", "SSE"),
        ("+neon,+fp-armv8", "aarch64", "NEON"),
        ("", "arm64", "NEON"),
    ],
)
def test_the_registers_of_a_processor(features, machine, name):
    assert choose(features, machine).name == name


def results(features=None):
    """Run the kernels in a process that compiles for other features than those of this machine."""
    target = (
        {} if features is None else {"NUMBA_CPU_NAME": "x86-64", "NUMBA_CPU_FEATURES": features}
    )
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={**os.environ, **target}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    name, arrays = json.loads(done.stdout)
    return name, [np.array(array) for array in arrays]


@pytest.mark.skipif("avx2" not in get_host_cpu_features(), reason="needs a processor with AVX2")
def test_all_instruction_sets_give_equal_results():
    name, expected = results()
    for features, forced in ((AVX2, "AVX2"), (SSE, "SSE")):
        other, got = results(features)
        assert other == forced
        for mine, its in zip(got, expected, strict=True):
            assert np.abs(mine - its).max() < ROUNDING * np.abs(its).max()
            if "SSE" not in (name, other):  # fused operations in the same order
                np.testing.assert_array_equal(mine, its)
