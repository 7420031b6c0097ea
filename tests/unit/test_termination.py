"""A process that is told to end: clean-up runs, with the status of the signal, at once."""

import os
import signal
import subprocess
import sys

import pytest

from lagbias.runtime import termination
from lagbias.runtime.termination import Terminated

REQUESTS = (signal.SIGTERM, signal.SIGHUP)


@pytest.fixture(autouse=True)
def _default_signals():
    """Give the signals their default effect, whatever started the tests."""
    before = {number: signal.signal(number, signal.SIG_DFL) for number in REQUESTS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", REQUESTS)
def test_a_request_is_an_exception_with_the_status_of_the_signal(number, caplog):
    with pytest.raises(Terminated) as ended, termination.as_exception():
        os.kill(os.getpid(), number)
        pytest.fail("the signal had no effect")
    assert ended.value.code == 128 + number
    assert f"ended by {number.name}" in caplog.text
    assert signal.getsignal(number) is signal.SIG_DFL


def test_further_requests_do_not_disturb_the_clean_up():
    cleaned = False
    with pytest.raises(Terminated), termination.as_exception():
        try:
            os.kill(os.getpid(), signal.SIGTERM)
        finally:
            for number in REQUESTS:
                os.kill(os.getpid(), number)
            cleaned = True
    assert cleaned


def test_a_signal_that_is_ignored_stays_so():
    """As under nohup."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with termination.as_exception():
        os.kill(os.getpid(), signal.SIGHUP)
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN


SLEEPER = """
import time
from lagbias.runtime import termination
with termination.as_exception():
    print("ready", flush=True)
    time.sleep(60)
"""


def test_a_process_ends_at_once_with_the_status_of_the_signal():
    with subprocess.Popen([sys.executable, "-c", SLEEPER], stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"ready\n"
        process.terminate()
        assert process.wait(timeout=30) == 128 + signal.SIGTERM
