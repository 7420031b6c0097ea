"""The table of transferred models: every row once, and finished rows found again."""

import importlib
import json
from types import SimpleNamespace

import numpy as np
import pytest

from lagbias.bias.spectra import Spectra


@pytest.fixture(scope="module")
def transfer(repository):
    """The script, which has its boxes in a module beside it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(repository / "benchmarks"))
        yield importlib.import_module("transfer")


@pytest.fixture
def command(transfer, monkeypatch, tmp_path, capsys):
    """Call the command line with numbers in place of simulations; return rows made and table."""
    made = []

    def compare(row, set_name, threads):
        made.append((set_name, row))
        if len(made) == command.fails_at:
            raise RuntimeError("interrupted")
        transferred = dict.fromkeys(transfer.QUANTITIES, 0.9)
        retrained = dict.fromkeys(transfer.QUANTITIES, 1.0) | {"r": 0.75}
        return {"halos": 123, "transferred": transferred, "retrained": retrained, "seconds": 1.0}

    def call(*arguments):
        made.clear()
        monkeypatch.setattr("sys.argv", ["transfer.py", *map(str, arguments)])
        transfer.main()
        return list(made), capsys.readouterr().out.splitlines()

    command = SimpleNamespace(call=call, fails_at=0)
    monkeypatch.setattr(transfer, "compare", compare)
    monkeypatch.setattr(transfer, "find_spec", lambda name: name)
    monkeypatch.setattr(transfer, "RESULTS", tmp_path)
    return command


def test_rows_differ_and_share_simulations(transfer):
    rows = transfer.rows_of(250.0, 400)
    assert len({row.name for row in rows.values()}) == len(set(rows.values())) == len(rows)
    # phases, two linking lengths and two mass limits; the coarser box with two
    assert len({row.simulation.name for row in rows.values()}) == len(rows) - 5
    assert rows["coarser"].simulation.particles == 320
    assert rows["coarser, same mass"].min_particles == 8


def test_table_has_transferred_retrained_and_difference(command, transfer):
    made, table = command.call()
    rows = transfer.rows_of(250.0, 400)
    assert made == [(name, row) for name in transfer.SETS for row in rows.values()]
    assert len(table) == 2 + len(made) and len({line.count("|") for line in table}) == 1
    first = [cell.strip() for cell in table[2].strip("|").split("|")]
    assert first[:4] == ["3Rf", "phases", "123", "0.9000, 1.0000, -0.1000"]
    assert first[-1] == "0.9000, 0.7500, +0.1500"


def test_finished_rows_are_kept_after_an_interruption(command):
    command.fails_at = 3
    with pytest.raises(RuntimeError, match="interrupted"):
        command.call("--sets", "1Rf")
    command.fails_at = 0
    unfinished, table = command.call("--print")
    assert not unfinished and len(table) == 2 + 2
    made, table = command.call("--sets", "1Rf", "--rows", "z = 1", "b = 0.20", "b = 0.15")
    assert len(made) == 2 and len(table) == 2 + 4
    # a box of another size is another row
    made, table = command.call("--sets", "1Rf", "--rows", "phases", "--box-size", 125)
    assert len(made) == 1 and len(table) == 2 + 1


def test_rows_without_their_solver_are_left_out(command, transfer, monkeypatch):
    monkeypatch.setattr(transfer, "find_spec", lambda name: None)
    made, _ = command.call("--sets", "1Rf")
    assert {row.simulation.solver for _, row in made} == {"lagbias"}
    assert json.loads((transfer.RESULTS / "rows.json").read_text())[0]["set"] == "1Rf"


def test_numbers_average_over_modes(transfer):
    k = np.array([0.05, 0.09, 0.15, 0.2, 0.25, 0.3])
    n_modes = np.array([1, 3, 100, 1, 1, 100])
    halo = np.full(6, 2.0)
    model = np.array([2.0, 4.0, 9.0, 2.0, 2.0, 9.0])
    cross = np.array([2.0, 2.0, 9.0, 1.0, 2.0, 9.0])
    spectra = Spectra(
        k=k,
        n_modes=n_modes,
        halo_power=halo,
        model_power=model[None],
        cross_power=cross[None],
        average_model_power=model,
        average_cross_power=cross,
        mean_f=np.ones(1),
        average_mean_f=np.ones(1),
        seeds=np.zeros(1, int),
    )
    found = transfer.numbers(spectra)
    # below 0.1 h/Mpc with weights 1 and 3; r in 0.2 <= k < 0.3
    assert found == pytest.approx(
        {"P_model/P_h": 1.75, "P_hm/P_h": 1.0, "P_uncorr/P_h": 0.75, "r": 0.75}
    )
