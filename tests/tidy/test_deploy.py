"""What is shipped to run the gateway with: container files, the service, manifests. Rules about their text, and the tools' own checks where those are installed."""

import json
import pathlib
import re
import shutil
import subprocess

import pytest
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
VERSION = re.search(r"project\(tollgate VERSION (\S+)", (ROOT / "CMakeLists.txt").read_text())[1]
OVERLAYS = sorted(path.parent for path in ROOT.glob("deploy/kubernetes/overlays/*/kustomization.yaml"))


def pinned(image):
    """A tag that says a version, not one that moves."""
    return re.search(r":v?\d+(\.\d+)+[\w.-]*(@sha256:[0-9a-f]{64})?$|:\d+\.\d+-slim$", image) is not None


# -- containers --

@pytest.mark.parametrize("name", COMPOSE["services"])
def test_a_service_of_the_compose_file_is_pinned_and_shut_in(name):
    service = COMPOSE["services"][name]
    assert pinned(service["image"]), service["image"]
    for port in service.get("ports", []):
        assert port.startswith("127.0.0.1:"), f"{name} publishes {port} to other machines"
    for variable, value in service.get("environment", {}).items():
        assert not re.search(r"KEY|TOKEN|PASSWORD|SECRET", variable) or value.startswith("${"), f"{variable} holds a secret"
    if name != "vllm":      # vLLM's image runs as root and writes where it likes
        assert service["read_only"] and service["cap_drop"] == ["ALL"] and "no-new-privileges:true" in service["security_opt"], name
    for volume in service.get("volumes", []):
        source = volume.split(":")[0]
        assert source in COMPOSE["volumes"] or (ROOT / source).exists(), f"{name}: {source} does not exist"


def test_the_compose_file_stays_in_what_every_version_reads():
    assert not {"version", "name", "include"} & set(COMPOSE)
    assert {"gateway", "prometheus", "grafana"} <= {name for name, service in COMPOSE["services"].items() if "profiles" not in service}
    assert COMPOSE["services"]["gateway"]["image"] == f"tollgate:{VERSION}"


def test_the_gateways_of_the_profile_shared_are_two_that_share():
    first, second = COMPOSE["services"]["gateway"], COMPOSE["services"]["gateway-2"]
    assert first["environment"]["GATEWAY_NAME"] != second["environment"]["GATEWAY_NAME"] and first["image"] == second["image"]
    volumes = [next(volume for volume in each["volumes"] if volume.endswith(":/var/lib/tollgate")) for each in (first, second)]
    assert volumes[0] != volumes[1], "each keeps files of its own"
    pools = [backend["pool"] for backend in yaml.safe_load((ROOT / "deploy/compose/config/shared.yaml").read_text())["backends"].values() if "pool" in backend]
    assert pools and all(pool["gateways"] == 2 for pool in pools), "two gateways would book the same hardware twice"
    assert not {port.rsplit(":", 1)[0] for port in first["ports"]} & {port.rsplit(":", 1)[0] for port in second["ports"]}
    config = yaml.safe_load((ROOT / "deploy/compose/config/shared.yaml").read_text())
    assert second["environment"]["TOLLGATE_CONFIG"] == "/etc/tollgate/shared.yaml"
    assert config["shared"]["url"] == "redis://redis:6379" and COMPOSE["services"]["redis"]["profiles"] == ["shared"]
    assert config["ledger"]["url"] == "postgresql://tollgate@postgres/tollgate"
    assert "postgres_password" in config["ledger"]["password_file"] and "postgres_password" in COMPOSE["services"]["postgres"]["secrets"]
    secret = re.search(r"/run/secrets/(\w+)", config["shared"]["password_file"])[1]
    for name in ("gateway", "gateway-2", "redis"):
        assert secret in COMPOSE["services"][name]["secrets"], name
    assert f"/run/secrets/{secret}" in " ".join(COMPOSE["services"]["redis"]["command"])
    keys = [yaml.safe_load((ROOT / f"deploy/compose/config/{name}.yaml").read_text())["admin"] for name in ("demo", "shared")]
    assert keys[0] == keys[1], "Prometheus has one key for every gateway"


def test_prometheus_of_the_compose_file_reads_what_the_documented_one_does():
    shipped = yaml.safe_load((ROOT / "metrics/prometheus/prometheus.yaml").read_text())
    ours = yaml.safe_load((ROOT / "deploy/compose/prometheus.yaml").read_text())
    assert ours["global"] == shipped["global"] and ours["rule_files"] == shipped["rule_files"]
    assert ours["scrape_configs"][0]["job_name"] == shipped["scrape_configs"][0]["job_name"]
    secret = ours["scrape_configs"][0]["authorization"]["credentials_file"]
    assert secret == "/run/secrets/" + COMPOSE["services"]["prometheus"]["secrets"][0]


def test_the_image_is_built_of_what_the_project_is_built_of():
    text = (ROOT / "Dockerfile").read_text()
    assert pinned(re.search(r"^ARG BASE=(\S+)$", text, re.M)[1]) and re.findall(r"^FROM (\S+)", text, re.M) == ["${BASE}", "${BASE}"]
    installed = set(re.findall(r"[a-z0-9.+-]+-dev\b", text))
    packages = re.search(r'BUILD_PACKAGES="([^"]+)"', (ROOT / "dev").read_text())[1].split()
    needed = {name for name in packages if name.endswith("-dev")} | {"libboost1.81-dev"}
    assert installed == needed
    assert "USER 10001:10001" in text and "HEALTHCHECK" in text
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().split("\n") if line.startswith("!")}
    folders = set(re.findall(r"^add_subdirectory\((\w+)\)", (ROOT / "CMakeLists.txt").read_text(), re.M))
    assert folders <= allowed, "the build needs folders that .dockerignore leaves out"


# -- the service and the package --

def test_the_service_is_shut_in():
    if not shutil.which("systemd-analyze"):
        pytest.skip("systemd-analyze is not installed")
    unit = ROOT / "deploy/systemd/tollgate.service"
    scored = subprocess.run(["systemd-analyze", "security", "--offline=true", "--threshold=15", str(unit)], capture_output=True, text=True, timeout=60)
    assert scored.returncode == 0, scored.stdout[-400:] + scored.stderr
    # What it says of the program and of manual pages is about this machine, not about the unit.
    said = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, timeout=60).stderr
    of_the_unit = [line for line in said.split("\n") if "tollgate.service" in line and "/usr/bin/tollgate is not executable" not in line and "'man " not in line]
    assert not of_the_unit, "\n".join(of_the_unit)


def test_the_package_knows_its_configuration_files():
    conffiles = (ROOT / "deploy/debian/conffiles").read_text().split()
    rules = (ROOT / "cmake/packaging.cmake").read_text()
    installed = {f"/etc/tollgate/{pathlib.Path(file).name}" for file in re.findall(r"install\(FILES (\S+) DESTINATION /etc/tollgate\)", rules)}
    installed |= {f"/etc/default/{name}" for name in re.findall(r"DESTINATION /etc/default RENAME (\w+)\)", rules)}
    assert set(conffiles) == installed
    for script in ("postinst", "prerm", "postrm"):
        assert subprocess.run(["sh", "-n", str(ROOT / "deploy/debian" / script)], timeout=10).returncode == 0


# -- Kubernetes --

def manifests(overlay):
    if not shutil.which("kubectl"):
        pytest.skip("kubectl is not installed")
    made = subprocess.run(["kubectl", "kustomize", str(overlay)], capture_output=True, text=True, timeout=60)
    assert made.returncode == 0, made.stderr
    return list(yaml.safe_load_all(made.stdout))


def one(objects, kind):
    return next(each for each in objects if each["kind"] == kind)


@pytest.mark.parametrize("overlay", OVERLAYS, ids=lambda path: path.name)
def test_the_manifests_fit_together(overlay):
    objects = manifests(overlay)
    pod = one(objects, "StatefulSet")["spec"]["template"]
    spec, container = pod["spec"], pod["spec"]["containers"][0]
    labels, ports = pod["metadata"]["labels"], {port["name"] for port in container["ports"]}
    assert one(objects, "StatefulSet")["spec"]["replicas"] == 1, "two gateways would keep two ledgers"
    assert one(objects, "StatefulSet")["spec"]["selector"]["matchLabels"].items() <= labels.items()
    for each in objects:
        assert each["kind"] == "Namespace" or each["metadata"]["namespace"] == "tollgate", each["metadata"]["name"]
        if each["kind"] == "Service":
            assert each["spec"]["selector"].items() <= labels.items()
            assert {port["targetPort"] for port in each["spec"]["ports"]} <= ports
    assert one(objects, "NetworkPolicy")["spec"]["podSelector"]["matchLabels"].items() <= labels.items()
    mounted = {mount["name"] for mount in container["volumeMounts"]}
    claimed = {claim["metadata"]["name"] for claim in one(objects, "StatefulSet")["spec"]["volumeClaimTemplates"]}
    assert mounted == {volume["name"] for volume in spec["volumes"]} | claimed
    given = one(objects, "ConfigMap")
    assert [volume["configMap"]["name"] for volume in spec["volumes"]] == [given["metadata"]["name"]]
    config = yaml.safe_load(given["data"]["tollgate.yaml"])
    listens = {int(config[side]["listen"].rsplit(":", 1)[1]) for side in ("server", "admin")}
    assert listens == {port["containerPort"] for port in container["ports"]}
    assert config["ledger"]["url"].startswith("sqlite:" + next(m["mountPath"] for m in container["volumeMounts"] if m["name"] == "ledger"))


@pytest.mark.parametrize("overlay", OVERLAYS, ids=lambda path: path.name)
def test_the_pod_is_what_the_restricted_standard_asks(overlay):
    spec = one(manifests(overlay), "StatefulSet")["spec"]["template"]["spec"]
    container = spec["containers"][0]
    assert spec["securityContext"]["runAsNonRoot"] and spec["securityContext"]["seccompProfile"]["type"] == "RuntimeDefault"
    assert container["securityContext"] == {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
    assert spec["automountServiceAccountToken"] is False
    assert pinned(container["image"]) and container["resources"]["requests"] and container["resources"]["limits"]["memory"]
    assert {"startupProbe", "readinessProbe", "livenessProbe"} <= set(container)


def test_the_demonstrations_are_one_configuration():
    ours, theirs = (yaml.safe_load((ROOT / name).read_text()) for name in ("deploy/compose/config/demo.yaml", "deploy/kubernetes/overlays/demo/tollgate.yaml"))
    assert json.dumps(ours) == json.dumps(theirs)
