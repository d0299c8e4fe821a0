"""A gateway whose wall clock runs behind: an LD_PRELOAD shim, compiled when a test needs it."""

import pathlib
import shutil
import subprocess

import pytest

SOURCE = pathlib.Path(__file__).with_name("shifted_clock.c")


class ShiftedClock:
    def __init__(self, folder):
        compiler = shutil.which("cc") or shutil.which("gcc")
        if compiler is None:
            pytest.skip("no C compiler for the shim that moves the clock")
        self.file = folder / "behind"
        shim = folder / "shifted_clock.so"
        subprocess.run([compiler, "-shared", "-fPIC", "-o", shim, SOURCE], check=True, timeout=60)
        self.environment = {"LD_PRELOAD": str(shim), "SHIFTED_CLOCK": str(self.file)}
        self.behind(0)

    def behind(self, seconds):
        fresh = self.file.with_suffix(".new")
        fresh.write_text(str(seconds))
        fresh.rename(self.file)
