"""A process that is killed while it writes leaves the file that was there, or the new one."""

import json
import subprocess
import sys

#: Starts a writer, kills it after up to 20 ms, and looks at what it left: again and again.
KILLER = """
import json, os, random, signal, sys, time
from pathlib import Path

import numpy as np

from lagbias.artefacts import store
from lagbias.sources.base import LinearDensity

directory, kills, random_numbers = Path(sys.argv[1]), int(sys.argv[2]), random.Random(3)
path, size = directory / "artefact.h5", 100_000


def write_for_ever(number):
    while True:
        number += 1
        delta = np.full((size, 1, 1), number, np.float32)
        store.write(path, LinearDensity(delta=delta, attributes={"number": number}))


last, broken, changed, temporaries, done = 0, [], 0, 0, 0
# on a busy machine most writers are killed before they have done anything
while done < kills or (min(changed, temporaries) <= kills / 20 and done < 20 * kills):
    done += 1
    writer = os.fork()
    if writer == 0:
        write_for_ever(last)
    time.sleep(random_numbers.uniform(0, 0.02))
    os.kill(writer, signal.SIGKILL)
    os.waitpid(writer, 0)
    for left in directory.glob(".artefact.h5.*.tmp"):
        left.unlink()
        temporaries += 1
    if not path.exists():
        continue
    try:
        artefact = store.read(path, LinearDensity)
    except store.ArtefactError as error:
        broken.append(str(error))
        continue
    number = artefact.attributes["number"]
    if len(artefact.delta) != size or (artefact.delta != number).any() or number < last:
        broken.append(f"{number} after {last}")
    changed += number > last
    last = number
print(json.dumps({"broken": broken, "changed": changed, "temporaries": temporaries}))
"""


def test_an_artefact_is_whole_whenever_its_writer_is_killed(tmp_path, nightly):
    kills = 2000 if nightly else 200
    done = subprocess.run(
        [sys.executable, "-c", KILLER, str(tmp_path), str(kills)],
        capture_output=True,
        text=True,
        check=True,
    )
    found = json.loads(done.stdout)
    assert found["broken"] == []
    # the test hits what it is about: files were made, and some were being written when it struck
    assert found["changed"] > kills / 20
    assert found["temporaries"] > kills / 20
    sys.stdout.write(f"{kills} kills, {found['temporaries']} of them within a write")  # with -rP
