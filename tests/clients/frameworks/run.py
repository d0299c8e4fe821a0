"""Starts a gateway with backends of every dialect, then Node's own test runner on this folder's tests against it; exits as that does."""

import os
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "support"))

import fleet  # noqa: E402  (found through the line above)
from gateway import Gateway  # noqa: E402


def main():
    tests = sorted(str(path) for path in HERE.glob("*.test.js"))
    with Gateway(fleet.CONFIG) as gateway:
        environment = {**os.environ, "TOLLGATE_URL": f"http://127.0.0.1:{gateway.port}", "TOLLGATE_TARGETS": " ".join(fleet.TARGETS)}
        status = subprocess.run(["node", "--test", "--test-reporter=tap", *tests], cwd=HERE, env=environment).returncode
        if gateway.stop() != 0:
            print(gateway.log(), file=sys.stderr)
            return 1
        return status


if __name__ == "__main__":
    sys.exit(main())
