"""2,000 streams at once on one reactor: all complete, none mixed up, little memory each."""

import json
import pathlib
import subprocess
import threading

import pytest
from gateway import PROGRAM, Gateway, wait_until

STREAMS = 2000
MEMORY_PER_STREAM_MAX = 20 * 1024

CONFIG = """\
version: 1
server: {{listen: "127.0.0.1:0", reactors: 1}}
admin: {{listen: "127.0.0.1:0"}}
ledger: {{url: "sqlite:LEDGER"}}
log: {{access: false}}
backends:
  engine:
    dialect: vllm
    url: http://127.0.0.1:{port}
    pool: {{billing: dedicated, gpu: H100, gpus: 2, usd_per_gpu_hour: "2.49"}}
    models: {{bench: {{context_tokens: 131072, capability: 1.0}}}}
"""


def tool(name):
    path = pathlib.Path(PROGRAM).parent / name
    if not path.exists():
        pytest.skip(f"{name} is not built (TOLLGATE_BENCH=ON builds it)")
    return path


@pytest.fixture
def engine_port():
    command = [tool("bench_upstream"), "--chunks", "100", "--interval-us", "100000"]   # slow enough that clients on a busy machine keep up: what waits for them is not measured
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as upstream:
        yield int(upstream.stdout.readline().split()[1])
        upstream.terminate()


def rss(process):
    line = next(line for line in pathlib.Path(f"/proc/{process.pid}/status").read_text().splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) * 1024


def load(gateway, *arguments):
    command = [tool("bench_load"), "--port", str(gateway.port), "--model", "engine/bench", "--seconds", "30", *arguments]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


def test_2000_streams_on_one_reactor_all_complete_none_mixed_up(engine_port):
    with Gateway(CONFIG.format(port=engine_port)) as gateway:
        load(gateway, "--connections", "8", "--requests", "200")
        before, seen, done = rss(gateway.process), [], threading.Event()

        def look():
            while not done.wait(0.05):
                seen.append(rss(gateway.process))

        watcher = threading.Thread(target=look)
        watcher.start()
        result = load(gateway, "--connections", str(STREAMS), "--requests", str(STREAMS), "--stream", "1")
        done.set()
        watcher.join()
        print(result, (max(seen) - before) / STREAMS)
        assert (result["answered"], result["errors"], result["mixed_up"]) == (STREAMS, 0, 0)
        assert result["chunks"] == STREAMS * 100
        assert (max(seen) - before) / STREAMS <= MEMORY_PER_STREAM_MAX
        counts = "SELECT count(*) AS n, coalesce(sum(output), 0) AS output FROM attempts WHERE usage_source = 'exact' AND output = 100"
        wait_until(lambda: gateway.rows(counts)[0]["n"] == STREAMS, 10, "all streams in the ledger, each with its tokens")
        assert gateway.stop() == 0
