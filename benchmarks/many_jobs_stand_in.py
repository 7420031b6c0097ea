"""Stands in for a job of the workflow in a batch system: waits, and makes empty outputs.

    python many_jobs_stand_in.py SECONDS STATUS OUTPUT ...

Ends with STATUS, without outputs unless that is 0.
"""

import sys
import time
from pathlib import Path


def main(seconds: str, status: str, *outputs: str) -> int:
    """Do what the arguments say; see above."""
    time.sleep(float(seconds))
    if status == "0":
        for output in map(Path, outputs):
            output.parent.mkdir(parents=True, exist_ok=True)
            output.touch()
    return int(status)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
