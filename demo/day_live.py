"""A minute like the scripted day through a running gateway with simulated engines: ./dev demo-day --live

A quiet stretch, a busy one in whose middle the managed host raises its price (a reload), then few requests while the rented GPU is gone, and its
return. The autopilot and two fixed policies get the same requests at the same times; the bill is the ledger's: managed charges and what the pools were billed.
"""

import json
import random
import subprocess
import threading
import time

import gateway as running

# From second, requests a second.
SCRIPT = ((0, 2), (10, 14), (30, 0.5), (52, 2))
END, PRICE_AT, LOST_AT, BACK_AT = 58, 20, 30, 52
POLICIES = [("rented, then managed", "gpu/llama, host/llama", "choose: cheapest"),
            ("rented, serverless, managed", "gpu/llama, serverless/llama, host/llama", "choose: first"),
            ("autopilot", "gpu/llama, serverless/llama, host/llama", "choose: cheapest, autopilot: true")]
CONFIG = """\
version: 1
server: {listen: "127.0.0.1:0", reactors: 1}
admin: {listen: "127.0.0.1:0"}
ledger: {url: "sqlite:LEDGER"}
log: {level: info, access: false}
backends:
  gpu:
    dialect: vllm
    simulated: {seed: 1, ENGINE}
    pool: {billing: dedicated, gpu: H100, gpus: 1, usd_per_gpu_hour: "7.20"}
    models: {llama: {concurrency_max: 4}}
  serverless:
    dialect: vllm
    simulated: {seed: 2, ENGINE}
    pool: {billing: serverless, gpu: H100, gpus: 1, usd_per_gpu_second: "0.004", cold_start_seconds: 1, idle_timeout_seconds: 2, workers_max: 3, requests_per_worker: 8}
    models: {llama: {}}
  host:
    dialect: openai
    simulated: {seed: 3, ENGINE}
    models: {llama: {prices: {input_usd_per_million_tokens: "0", output_usd_per_million_tokens: "0", usd_per_request: "PRICE"}}}
autopilot: {dwell_seconds: 1, window_seconds: 2}
routes:
  - {name: auto, when: {model: auto}, RULES, among: [AMONG]}
""".replace("ENGINE", "slots: 64, prefill_tokens_per_second: 200000, decode_tokens_per_second: 25, decode_tokens_per_second_total: 1600, output_tokens_mean: 20")


def arrivals(seed):
    rng, at, times = random.Random(seed), 0.0, []
    while True:
        per_second = [rate for begin, rate in SCRIPT if begin <= at][-1]
        at += rng.expovariate(per_second)
        if at >= END:
            return times
        times.append(at)


class Run:
    def __init__(self, among, rules):
        self.config = CONFIG.replace("RULES", rules).replace("AMONG", among)
        self.gateway = running.Gateway(self.config.replace("PRICE", "0.001"))
        self.answers, self.threads = [], []

    def ask(self):
        began = time.monotonic()
        status, headers, _ = self.gateway.chat("[[sim-tokens: 20]] x")
        self.answers.append((status, headers.get("x-tollgate-target", ""), headers.get("x-tollgate-reason", ""), time.monotonic() - began))

    def drain(self, on):
        self.gateway.request("POST", f"/admin/v1/backends/gpu/{'drain' if on else 'undrain'}", port=self.gateway.admin_port)

    def through(self, seed):
        happenings = [(at, self.send) for at in arrivals(seed)]
        happenings += [(PRICE_AT, lambda: self.gateway.write_config(self.config.replace("PRICE", "0.0015"))), (LOST_AT, lambda: self.drain(True)), (BACK_AT, lambda: self.drain(False))]
        begin = time.monotonic()
        for at, happen in sorted(happenings, key=lambda each: each[0]):
            time.sleep(max(0.0, begin + at - time.monotonic()))
            happen()
        for thread in self.threads:
            thread.join()
        time.sleep(max(0.0, begin + END + 3 - time.monotonic()))   # the last worker's idle timeout
        self.switches = json.loads(self.gateway.admin("/admin/v1/overview")[1])["autopilot"]

    def send(self):
        self.threads.append(threading.Thread(target=self.ask))
        self.threads[-1].start()

    def books(self, *arguments):
        ran = subprocess.run([running.PROGRAM, "costs", "--config", self.gateway.config_path, "--since", "1h", "--json", *arguments], capture_output=True, text=True, timeout=60)
        if ran.returncode != 0:
            raise RuntimeError(ran.stderr)
        return json.loads(ran.stdout)["total"]


def one(name, among, rules, seed):
    run = Run(among, rules)
    with run.gateway:
        run.through(seed)
        run.gateway.stop()
        total, pools = run.books(), run.books("--pools")["usd"]
    gpu = float(total["usd_by_kind"]["gpu"])
    served = {}
    for _, target, _, _ in run.answers:
        served[target] = served.get(target, 0) + 1
    seconds = sorted(took for _, _, _, took in run.answers)
    return {"name": name, "requests": len(run.answers), "refused": sum(status != 200 for status, _, _, _ in run.answers), "managed_usd": float(total["usd"]) - gpu,
            "pools_usd": float(pools["billed"]), "usd": float(total["usd"]) - gpu + float(pools["billed"]), "served": served, "median_s": seconds[len(seconds) // 2],
            "switches": sum(pool["opened"] + pool["closed"] for pool in run.switches),
            "reasons": sorted({reason.split(":")[0] + ": …" if "autopilot" not in reason else reason for _, _, reason, _ in run.answers})}


def main(options):
    rows = [one(*policy, options.seed) for policy in POLICIES]
    if options.json:
        print(json.dumps(rows, indent=2))
    else:
        print(f"{rows[0]['requests']} requests in {END} s, seed {options.seed}\n")
        print(f"{'policy':<30}{'$ bill':>9}{'managed':>9}{'pools':>9}{'refused':>9}{'median':>9}{'switches':>10}  served by")
        for row in rows:
            served = ", ".join(f"{target.split('/')[0]} {count}" for target, count in sorted(row["served"].items()))
            print(f"{row['name']:<30}{row['usd']:>9.4f}{row['managed_usd']:>9.4f}{row['pools_usd']:>9.4f}{row['refused']:>9}{row['median_s']:>7.2f} s{row['switches']:>10}  {served}")
    best = min(row["usd"] for row in rows[:-1])
    return 0 if rows[-1]["usd"] <= best * 1.02 else 1   # the clock decides a little of it
