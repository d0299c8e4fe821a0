"""Backends drained and outliers ejected while requests run."""

import concurrent.futures
import json
import threading
import time

from crowd import CLIENTS, Crowd, Simulator
from failing_upstream import FailingUpstream, refusal
from gateway import Gateway, total, wait_until
from small_fleet import config


def post(gateway, path):
    status, body = gateway.admin(path, method="POST")
    return status, json.loads(body)


def test_rolling_a_backend_away_under_load_loses_no_request():
    with FailingUpstream(delay=0.05) as first, FailingUpstream(delay=0.05) as second:
        with Gateway(config(first=(first.url, ""), second=(second.url, ""))) as gateway:
            end = threading.Event()

            def client(number):
                answers = []
                while not end.is_set():
                    status, headers, body = gateway.chat(stream=number % 2 == 0)
                    answers.append((status, headers["x-tollgate-target"], number % 2 == 0 and b"[DONE]" not in body))
                return answers

            with concurrent.futures.ThreadPoolExecutor(8) as pool:
                clients = [pool.submit(client, number) for number in range(8)]
                time.sleep(0.7)
                status, drained = post(gateway, "/admin/v1/backends/first/drain")
                assert status == 200 and drained["draining"]
                assert wait_until(lambda: post(gateway, "/admin/v1/backends/first/drain")[1]["in_flight"] == 0, 5, "the streams to finish")
                time.sleep(0.05)
                before, at_rest = len(first.seen), first.open
                time.sleep(0.7)
                assert len(first.seen) == before and at_rest == 0, "nothing new went there"
                ready = json.loads(gateway.admin("/readyz")[1])
                assert {t["target"]: (t["state"], t["usable"]) for t in ready["targets"]} == {"first/m": ("draining", False), "second/m": ("up", True)}
                assert ready["ready"]
                assert total(gateway.metrics()["tollgate_target_draining"], target="first/m") == 1
                backends = json.loads(gateway.admin("/admin/v1/backends")[1])["backends"]
                assert [b["draining"] for b in backends] == [True, False]
                assert not post(gateway, "/admin/v1/backends/first/undrain")[1]["draining"]
                time.sleep(0.4)
                end.set()
            answers = [answer for client in clients for answer in client.result()]
            assert len(answers) > 50 and {(status, cut) for status, _, cut in answers} == {(200, False)}
            assert {target for _, target, _ in answers} == {"first/m", "second/m"} and len(first.seen) > before


def test_a_whole_fleet_is_restarted_under_load_one_by_one_and_no_request_is_lost():
    fleet = {name: Simulator() for name in ("first", "second", "third")}
    try:
        with Gateway(config(**{name: (simulator.url, "") for name, simulator in fleet.items()})) as gateway:
            crowd = Crowd(gateway)
            for name, simulator in fleet.items():
                time.sleep(0.5)
                assert post(gateway, f"/admin/v1/backends/{name}/drain")[0] == 200
                wait_until(lambda: post(gateway, f"/admin/v1/backends/{name}/drain")[1]["in_flight"] == 0, 10, f"{name} to finish its streams")
                simulator.kill()
                time.sleep(0.3)                          # all of the load goes by it meanwhile
                simulator.start()
                assert not post(gateway, f"/admin/v1/backends/{name}/undrain")[1]["draining"]
            time.sleep(0.5)
            answers = crowd.stop()
            assert len(answers) > 5 * CLIENTS
            assert {(status, whole, told) for status, whole, told, _ in answers} == {(200, True, False)}
            assert len({target for *_, target in answers}) >= 2
            # No attempt failed, none was made twice.
            wait_until(lambda: total(gateway.metrics()["tollgate_attempts_total"]) == len(answers), 5, "one attempt for each request")
    finally:
        for simulator in fleet.values():
            simulator.kill()


def test_a_drain_survives_a_reload_and_a_fully_drained_gateway_says_so():
    with FailingUpstream() as only:
        with Gateway(config(only=(only.url, ""))) as gateway:
            post(gateway, "/admin/v1/backends/only/drain")
            gateway.write_config(gateway.config_path.read_text() + "# a change\n")
            assert json.loads(gateway.admin("/-/reload", method="POST")[1])["reloaded"]
            status, _, body = gateway.chat()
            assert status == 503 and "only/m (draining)" in json.loads(body)["error"]["message"] and not only.seen
            assert gateway.admin("/readyz")[0] == 503
            post(gateway, "/admin/v1/backends/only/undrain")
            assert gateway.chat()[0] == 200 and gateway.admin("/readyz")[0] == 200


def test_unknown_backends_and_methods_are_told():
    with FailingUpstream() as only, Gateway(config(only=(only.url, ""))) as gateway:
        assert post(gateway, "/admin/v1/backends/nobody/drain")[0] == 404
        assert gateway.admin("/admin/v1/backends/only/drain")[0] == 405


def test_an_outlier_is_left_out_for_a_while_and_its_peers_are_not():
    turn = iter(range(1_000_000))

    def every_other(*_):
        return refusal(500) if next(turn) % 3 else None

    rules = "outliers: {window_seconds: 0.5, attempts_min: 5, eject_seconds: 1}"
    with FailingUpstream(then=every_other) as flaky, FailingUpstream() as good:
        patient = "breaker: {failures: 1000}"
        with Gateway(config(route="choose: first", top=rules, flaky=(flaky.url, patient), good=(good.url, ""))) as gateway:
            def ejected():
                assert gateway.chat()[0] == 200
                return total(gateway.metrics()["tollgate_target_ejected"], target="flaky/m") == 1
            wait_until(ejected, 5, "the outlier to be ejected")
            before = len(flaky.seen)
            for _ in range(10):
                status, headers, _ = gateway.chat()
                assert status == 200 and headers["x-tollgate-target"] == "good/m"
            assert len(flaky.seen) == before and "flaky/m: ejected" in headers["x-tollgate-reason"]
            wait_until(lambda: gateway.chat() and len(flaky.seen) > before, 5, "it to be tried again")
            assert "left out for a while" in gateway.log()
