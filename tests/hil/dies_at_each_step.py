"""Provision into many folders, and be killed in each before another operation on files: prints how each child ended.

python dies_at_each_step.py TEMPLATE FOLDER…: every FOLDER becomes a copy of TEMPLATE, which holds `board` and the two key files.
"""

import os
import shutil
import signal
import sys
from pathlib import Path

from strapline_hil.provisioning import Request, provision


def main():
    template, *folders = map(Path, sys.argv[1:])
    for step, folder in enumerate(folders):
        shutil.copytree(template, folder)
        child = os.fork()
        if child == 0:
            die_before(step, folder)
            provision(request(folder))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        print(folder.name, os.waitstatus_to_exitcode(status))
        if status == 0:
            return


def request(folder):
    return Request(
        "7a900001", f"file:{folder / 'board'}", folder / "gateway-keys.json", folder / "centre-keys.json", replace=True
    )


def die_before(step, folder):
    """`kill -9` before the operation on files number `step`; reading counts too."""
    left = step

    def watch(event, arguments):
        nonlocal left
        if event == "open" or event.startswith("os."):
            left -= 1
            if left == -1:  # killing is an operation too
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(watch)


if __name__ == "__main__":
    main()
