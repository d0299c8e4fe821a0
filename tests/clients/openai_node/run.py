"""Starts three gateways, one with backends of every dialect and one for what is passed through, then Node's own test runner on this folder's tests; exits as that does."""

import hashlib
import os
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "support"))

import fleet  # noqa: E402  (found through the line above)
from gateway import CONFIG, Gateway  # noqa: E402  (found through the line above)

KEY = "tg-" + "7e" * 32
KEYS = f'auth:\n  keys:\n    - {{name: tests, team: qa, sha256: "{hashlib.sha256(KEY.encode()).hexdigest()}"}}\n'


def main():
    tests = sorted(str(path) for path in HERE.glob("*.test.js"))
    media = (HERE.parents[2] / "examples/media.yaml").read_text().replace(":8080", ":0").replace(":9090", ":0").replace("${TOLLGATE_LEDGER:-tollgate.db}", "LEDGER")
    with Gateway(CONFIG + KEYS) as gateway, Gateway(fleet.CONFIG) as other, Gateway(media) as passing:
        environment = {**os.environ, "TOLLGATE_URL": gateway.url, "TOLLGATE_KEY": KEY,
                       "TOLLGATE_FLEET_URL": other.url, "TOLLGATE_MEDIA_URL": passing.url, "TOLLGATE_FLEET_TARGETS": " ".join(fleet.TARGETS),
                       "TOLLGATE_ENGINE_URL": f"http://127.0.0.1:{gateway.simulated['gpu']}"}
        status = subprocess.run(["node", "--test", "--test-reporter=tap", *tests], cwd=HERE, env=environment).returncode
        for running in (gateway, other, passing):
            if running.stop() != 0:
                print(running.log(), file=sys.stderr)
                return 1
        return status


if __name__ == "__main__":
    sys.exit(main())
