"""`./dev image-test`: the shipped Dockerfile is built, the shipped docker-compose.yml is brought up, and one request's cost is seen in Prometheus.

    python3 tests/packages/image_test.py [--program FILE] [--keep]

As root on a Debian 12 with buildah, podman, docker-compose, debootstrap; no Docker engine and no registry is needed: the base image is made by
debootstrap, Prometheus and Python come from Debian's packages under the names that docker-compose.yml gives. All of it lives in
build/image-test and in a network of its own. --program takes a program that is built already in place of the Dockerfile's first stage.
Not proved: Grafana's image and vLLM's, of which no package is at hand here, and what only the registry's base image may do differently.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from decimal import Decimal

from containers import ROOT, STORAGE, WORK, Failed, Service, base_image, build, compose, container, is_healthy, podman, run, say, settings, stand_in

IMAGE_MEGABYTES_MAX = 60      # over its base
KEY, ADMIN_KEY = "tg-demo-web", "tg-demo-admin"
proofs = []


def proved(text):
    proofs.append(text)
    say(f"  proved: {text}")


def expect(holds, otherwise):
    if not holds:
        raise Failed(otherwise)


def names():
    """The images that the shipped files name: {"base": …, "prometheus": …}."""
    text = (ROOT / "docker-compose.yml").read_text()
    images = {name: image for name, image in re.findall(r"^  ([\w-]+):\n(?:    .*\n)*?    image: (\S+)$", text, re.M)}
    return {"base": re.search(r"^ARG BASE=(\S+)$", (ROOT / "Dockerfile").read_text(), re.M)[1], **images}


def qualified(name):
    return f"docker.io/{name}" if "/" in name else f"docker.io/library/{name}"


def build_images(program):
    images = names()
    base = qualified(images["base"])
    say("the base, by debootstrap"); base_image(base)
    say("the gateway's image, from the shipped Dockerfile")
    arguments = []
    if program:
        ready = WORK / "program/out/usr/bin"
        shutil.rmtree(WORK / "program", ignore_errors=True)
        ready.mkdir(parents=True)
        run("strip", "-o", ready / "tollgate", program)
        arguments = ["--build-context", f"build={WORK / 'program'}"]
    build(qualified(images["gateway"]), ROOT, *arguments)
    say("stand-ins for Prometheus and Python, of Debian's packages")
    stand_in(qualified(images["prometheus"]), base, "RUN apt-get update && apt-get install -y --no-install-recommends prometheus && install -d -o 65534 -g 65534 /prometheus\n"
             "USER 65534\nENTRYPOINT [\"prometheus\"]")
    stand_in(qualified(images["traffic"]), base, "RUN apt-get update && apt-get install -y --no-install-recommends python3 && ln -s python3 /usr/bin/python")
    # As in the public image, so that the compose file's command and user do what they do there.
    stand_in(qualified(images["redis"]), base, "RUN groupadd --gid 999 redis && useradd --uid 999 --gid 999 redis && apt-get update && apt-get install -y --no-install-recommends redis-server "
             "&& install -d -o 999 -g 999 /data\nWORKDIR /data\nVOLUME /data")
    stand_in(qualified(images["postgres"]), base, "RUN groupadd --gid 999 postgres && useradd --uid 999 --gid 999 postgres && apt-get update && apt-get install -y --no-install-recommends postgresql "
             "&& install -d -o 999 -g 999 /var/lib/postgresql/data\nENV PATH=/usr/lib/postgresql/15/bin:$PATH PGDATA=/var/lib/postgresql/data\nVOLUME /var/lib/postgresql/data\n"
             "CMD [\"sh\", \"-c\", \"[ -s $PGDATA/PG_VERSION ] || (initdb -E UTF8 --locale=C.UTF-8 -U $POSTGRES_USER --pwfile=$POSTGRES_PASSWORD_FILE -A scram-sha-256 && "
             "pg_ctl -w start -o '-k /tmp -h localhost' && PGPASSWORD=$(cat $POSTGRES_PASSWORD_FILE) createdb -h /tmp -U $POSTGRES_USER $POSTGRES_DB && pg_ctl -w stop "
             "&& echo host all all all scram-sha-256 >> $PGDATA/pg_hba.conf); exec postgres -k /tmp -h '*'\"]")
    return images


def check_image(images):
    size = {name: int(podman("image", "inspect", "--format", "{{.Size}}", qualified(images[name]))) for name in ("base", "gateway")}
    added = (size["gateway"] - size["base"]) / 1e6
    expect(added < IMAGE_MEGABYTES_MAX, f"the image adds {added:.0f} MB to its base; at most {IMAGE_MEGABYTES_MAX} are allowed")
    proved(f"the image adds {added:.0f} MB to its base of {size['base'] / 1e6:.0f} MB")
    image = json.loads(podman("image", "inspect", qualified(images["gateway"])))[0]
    expect(image["Config"]["User"] == "10001:10001", f"the image's user is {image['Config']['User']!r}")
    health = image["Config"].get("Healthcheck") or image.get("HealthCheck") or image.get("Healthcheck") or {}
    expect("healthcheck" in " ".join(health.get("Test", [])), f"the image has no health check: {health}")
    proved("the image's user is 10001, and it has a health check of its own")


def ask(url, body=None, key=None):
    headers = {"content-type": "application/json", **({"authorization": f"Bearer {key}"} if key else {})}
    request = urllib.request.Request(url, json.dumps(body).encode() if body else None, headers)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, dict((k.lower(), v) for k, v in answer.getheaders()), answer.read().decode()
    except urllib.error.HTTPError as refused:
        return refused.code, dict(refused.headers), refused.read().decode()


def until(question, seconds, what):
    end = time.monotonic() + seconds
    while True:
        try:
            if answer := question():
                return answer
        except OSError:
            pass
        if time.monotonic() > end:
            raise Failed(f"waited {seconds} s in vain for {what}")
        time.sleep(0.5)


def in_prometheus(query):
    _, _, body = ask(f"http://127.0.0.1:9091/api/v1/query?{urllib.parse.urlencode({'query': query})}")
    return [(row["metric"], row["value"][1]) for row in json.loads(body)["data"]["result"]]


def check_gateway():
    gateway = container("gateway")
    until(lambda: ask("http://127.0.0.1:9090/readyz")[0] == 200, 60, "the gateway to be ready")
    proved("docker-compose.yml comes up: the gateway answers on the published ports of loopback")
    inside = podman("exec", gateway, "sh", "-c", "id -u; touch /usr/bin/x 2>&1; touch /var/lib/tollgate/x && echo ledger; grep -E 'CapEff|NoNewPrivs' /proc/1/status")
    expect(inside.startswith("10001\n") and "Read-only file system" in inside and "ledger" in inside, f"inside the container: {inside}")
    expect(re.search(r"CapEff:\s*0{16}", inside) and re.search(r"NoNewPrivs:\s*1", inside), f"inside the container: {inside}")
    proved("it runs as 10001 without capabilities and new privileges, on a read-only root; only the ledger's volume can be written")
    expect(ask("http://127.0.0.1:9090/metrics")[0] == 401 and ask("http://127.0.0.1:9090/metrics", key=ADMIN_KEY)[0] == 200, "the admin port does not ask for its key")
    expect(ask("http://127.0.0.1:8080/v1/models")[0] == 401, "the data port does not ask for a key")
    proved("neither port answers without its key")
    health = json.loads(podman("inspect", gateway))[0]["State"].get("Health") or json.loads(podman("inspect", gateway))[0]["State"].get("Healthcheck")
    expect(health and health["Status"] == "healthy", f"the container's health: {health}")
    proved("its health check says healthy")
    return gateway


def check_money(gateway):
    status, headers, body = ask("http://127.0.0.1:8080/v1/chat/completions", {"model": "auto", "messages": [{"role": "user", "content": "What is the capital of France?"}]}, KEY)
    expect(status == 200, f"a request is answered {status}: {body}")
    cost, target = headers["x-tollgate-cost-usd"], headers["x-tollgate-target"]
    expect(Decimal(cost) > 0, f"the request's cost is {cost}")
    proved(f"one request was answered by {target} and cost {cost} USD")
    until(lambda: in_prometheus('up{job="tollgate"} == 1'), 60, "Prometheus to scrape the gateway")
    proved("Prometheus scrapes the admin port with its key")

    def seen():
        rows = in_prometheus(f'sum(tollgate_spend_usd_total{{target="{target}",team="web"}})')
        return rows and abs(Decimal(rows[0][1]) - Decimal(cost)) < Decimal("1e-12") and rows[0][1]
    value = until(seen, 60, f"the cost of {cost} in Prometheus")
    proved(f"Prometheus says that team web spent {value} USD at {target}: the same")
    rules = json.loads(ask("http://127.0.0.1:9091/api/v1/rules")[2])["data"]["groups"]
    expect(rules and all(rule["health"] != "err" for group in rules for rule in group["rules"]), "rules are missing or fail")
    proved(f"it holds {sum(len(group['rules']) for group in rules)} rules, none in error")
    table = json.loads(podman("exec", gateway, "tollgate", "costs", "--by", "team", "--json"))
    proved(f"`tollgate costs` inside the container reads the ledger: {json.dumps(table.get('total', table))[:160]}")


def check_traffic():
    until(lambda: container("traffic"), 60, "the traffic's container")
    until(lambda: len([row for row in in_prometheus("sum by (team) (tollgate_requests_total) > 0")]) >= 3, 90, "traffic of three teams in Prometheus")
    proved("the profile demo sends traffic of three teams")


def budgets_at(port):
    status, _, body = ask(f"http://127.0.0.1:{port}/admin/v1/budgets", key=ADMIN_KEY)
    expect(status == 200, f"the budgets are answered {status}: {body}")
    return {each["budget"]: each for each in json.loads(body)["budgets"]}


def check_shared():
    """A request to each of the two gateways: both know what both have spent."""
    for port in (9090, 9092):
        until(lambda: ask(f"http://127.0.0.1:{port}/readyz")[0] == 200, 90, f"the gateway at {port} to be ready")
        until(lambda: all(each["shared"]["granting"] for each in budgets_at(port).values()), 60, f"the store to answer the gateway at {port}")
    costs = []
    for port in (8080, 8081):
        status, headers, body = ask(f"http://127.0.0.1:{port}/v1/chat/completions", {"model": "managed/small", "messages": [{"role": "user", "content": "hello"}]}, KEY)
        expect(status == 200, f"the gateway at {port} answers {status}: {body}")
        costs.append(Decimal(headers["x-tollgate-cost-usd"]))
    for port in (9090, 9092):
        until(lambda: Decimal(budgets_at(port)["company"]["spent_usd"]) == sum(costs), 30, f"the spend of both at {port}")
    proved(f"the profile shared: of two requests at two gateways, {costs[0]} and {costs[1]} USD, both say that {sum(costs)} USD of the budget are spent")
    for name in ("gateway", "gateway-2"):
        until(lambda: json.loads(podman("exec", container(name), "tollgate", "costs", "--json"))["total"]["requests"] == 2, 30, f"the ledger of both at {name}")
    proved("one ledger: at either gateway `tollgate costs` has both requests")
    until(lambda: len(in_prometheus('tollgate_shared_up == 1')) == 2, 90, "Prometheus to scrape both gateways")
    proved("Prometheus scrapes both")


def check_restart(gateway):
    before = podman("exec", gateway, "tollgate", "costs", "--json")
    podman("stop", "--time", "60", gateway)
    code = podman("inspect", "--format", "{{.State.ExitCode}}", gateway).strip()
    expect(code == "0", f"the gateway ends with {code} when it is stopped")
    podman("start", gateway)
    until(lambda: ask("http://127.0.0.1:9090/readyz")[0] == 200, 60, "the gateway to be ready again")
    after = podman("exec", gateway, "tollgate", "costs", "--json")
    expect(len(after) > 2 and len(before) > 2, "the ledger is empty")
    proved("stopped it ends with 0, started again it has its ledger")


def prove_stack():
    """Runs in a network of its own (see main)."""
    run("ip", "link", "set", "lo", "up")
    os.environ["CONTAINERS_CONF"] = settings()
    with Service():
        try:
            say("docker-compose up")
            compose("up", "-d", "--no-build", "gateway", "prometheus", limit=240)
            gateway = check_gateway()
            check_money(gateway)
            compose("--profile", "demo", "up", "-d", "--no-build", "--no-deps", "traffic", limit=120)
            check_traffic()
            check_restart(gateway)
            compose("--profile", "demo", "down", "-v", "--timeout", "5", check=False)
            os.environ["TOLLGATE_FILE"] = "shared.yaml"
            # A gateway waits for its database; here it is looked at every two seconds and would count as ill before the database is made.
            compose("--profile", "shared", "up", "-d", "--no-build", "redis", "postgres", limit=120)
            until(lambda: is_healthy("postgres"), 120, "PostgreSQL to be ready")
            compose("--profile", "shared", "up", "-d", "--no-build", "gateway", "gateway-2", "prometheus", limit=300)
            check_shared()
        except BaseException:
            say(podman("logs", "--tail", "20", container("gateway"), check=False) if "gateway" in str(subprocess.run(["podman", *STORAGE, "ps"], capture_output=True, text=True, check=False)) else "")
            raise
        finally:
            compose("--profile", "demo", "--profile", "shared", "down", "-v", "--timeout", "5", check=False)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", help="a program that is built already, in place of the Dockerfile's first stage")
    parser.add_argument("--keep", action="store_true", help="keep the images for another run")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    WORK.mkdir(parents=True, exist_ok=True)
    try:
        if options.inside:
            prove_stack()
            return 0
        if os.geteuid() != 0:
            raise Failed("image-test needs root: it makes a file system with debootstrap and runs containers")
        run("docker-compose", "config", "-q")
        proved("docker-compose.yml is valid for " + run("docker-compose", "--version").strip())
        images = build_images(options.program)
        if options.program:
            say(f"  not proved: the Dockerfile's first stage, which compiles ({options.program} was taken instead)")
        else:
            proved("the Dockerfile builds the gateway from this source")
        check_image(images)
        done = subprocess.run(["unshare", "--net", "--mount", sys.executable, __file__, "--inside"], cwd=ROOT, timeout=1200, check=False)
        if done.returncode != 0:
            raise Failed("the stack is not proved; see above")
    except Failed as failed:
        say(f"FAILED: {failed}")
        return 1
    finally:
        if not options.keep and not options.inside:
            subprocess.run(["podman", *STORAGE, "system", "reset", "--force"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=300, check=False)
    say("  not proved: the images of Grafana and vLLM, which are in no package here; the registry's own base image")
    say("the image and the stack are proved")
    return 0


if __name__ == "__main__":
    sys.exit(main())
