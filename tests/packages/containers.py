"""Images and containers without a Docker engine: buildah and podman with a storage of their own, and docker-compose over podman's socket."""

import json
import os
import pathlib
import resource
import shutil
import subprocess
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
WORK = ROOT / "build/image-test"
STORAGE = ["--root", str(WORK / "storage"), "--runroot", str(WORK / "run"), "--storage-driver", "vfs"]
SOCKET = WORK / "podman.sock"
PROJECT = "tollgate-image-test"


class Failed(Exception):
    """A step that did not do what it should; the message says which and why."""


def say(text):
    print(text, flush=True)


def run(*command, limit=600, quiet=True, environment=None, cwd=ROOT, check=True):
    """The command's output; raises with the end of it if it fails."""
    done = subprocess.run([str(part) for part in command], cwd=cwd, env={**os.environ, **(environment or {})}, text=True, timeout=limit,
                          stdout=subprocess.PIPE if quiet else None, stderr=subprocess.STDOUT if quiet else None)
    if check and done.returncode != 0:
        raise Failed(f"{' '.join(map(str, command[:4]))} …: exit {done.returncode}\n{(done.stdout or '')[-3000:]}")
    return done.stdout or ""


def podman(*arguments, **options):
    return run("podman", *STORAGE, "--cgroup-manager", "cgroupfs", *arguments, **options)


def has_image(name):
    return run("podman", *STORAGE, "image", "exists", name, check=False) == "" and \
        subprocess.run(["podman", *STORAGE, "image", "exists", name], check=False).returncode == 0


def build(name, folder, *arguments, limit=3600):
    """The image `name` of the Dockerfile in `folder`, as Docker would build it; what it says goes to a log."""
    log = WORK / f"build-{name.split('/')[-1].split(':')[0]}.log"
    with open(log, "w") as to:
        done = subprocess.run(["buildah", *STORAGE, "bud", "--isolation", "chroot", "--network", "host", "--pull-never", "--format", "docker", *arguments,
                               "-t", name, str(folder)], stdout=to, stderr=subprocess.STDOUT, timeout=limit, check=False)
    if done.returncode != 0:
        raise Failed(f"the image {name} cannot be built ({log}):\n{log.read_text()[-3000:]}")


def base_image(name):
    """A minimal Debian 12 made by debootstrap, under the name that the Dockerfile's FROM gives."""
    if has_image(name):
        return
    tree, archive = WORK / "debian", WORK / "debian.tar"
    if not archive.exists():
        shutil.rmtree(tree, ignore_errors=True)
        run("debootstrap", "--variant=minbase", "bookworm", tree, limit=900)
        run("tar", "-C", tree, "--exclude=./var/cache/apt/archives/*.deb", "--exclude=./var/lib/apt/lists/*", "-cf", archive, ".")
        shutil.rmtree(tree)
    podman("import", archive, name)


def stand_in(name, base, lines):
    """An image under a public name, made of Debian's own package: nothing is pulled here."""
    if has_image(name):
        return
    folder = WORK / name.split("/")[-1].replace(":", "-")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "Dockerfile").write_text(f"FROM {base}\n{lines}\n")
    build(name, folder)


def settings():
    """podman's own settings would raise limits above this machine's, which only its administrator may."""
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    limit = [f"nofile={files}:{files}", "nproc=4096:4096"]
    path = WORK / "containers.conf"
    path.write_text(f"[containers]\ndefault_ulimits = {json.dumps(limit)}\n[engine]\nruntime = \"runc\"\n")
    return str(path)


class Service:
    """podman's Docker-compatible socket, and the health checks that systemd's timers would run; stopped by its process id."""

    def __enter__(self):
        SOCKET.unlink(missing_ok=True)
        with open(WORK / "podman.log", "w") as log:
            self.process = subprocess.Popen(["podman", *STORAGE, "--cgroup-manager", "cgroupfs", "system", "service", "--time=0", f"unix://{SOCKET}"],
                                            stdout=log, stderr=log)
        end = time.monotonic() + 30
        while not SOCKET.exists():
            if self.process.poll() is not None or time.monotonic() > end:
                raise Failed(f"podman's service does not start:\n{(WORK / 'podman.log').read_text()[-2000:]}")
            time.sleep(0.1)
        self.stopped = threading.Event()
        self.checks = threading.Thread(target=self._check_health, daemon=True)
        self.checks.start()
        return self

    def __exit__(self, *_):
        self.stopped.set()
        self.checks.join(15)
        self.process.terminate()
        self.process.wait(20)

    def _check_health(self):
        while not self.stopped.wait(2):
            try:
                for each in containers():
                    subprocess.run(["podman", *STORAGE, "healthcheck", "run", each["Id"]], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=30, check=False)
            except (subprocess.TimeoutExpired, json.JSONDecodeError):
                continue      # podman waits for a container that is being taken away: the next round will do


def containers():
    done = subprocess.run(["podman", *STORAGE, "ps", "--format", "json"], capture_output=True, text=True, timeout=30, check=False)
    return json.loads(done.stdout or "[]") if done.returncode == 0 else []


def is_healthy(service):
    return any(service in "".join(each["Names"]) and "(healthy)" in each.get("Status", "") for each in containers())


def container(service):
    """The id of a running service of the project."""
    for each in containers():
        if service in "".join(each["Names"]):
            return each["Id"]
    raise Failed(f"no container of the service {service} runs")


def compose(*arguments, **options):
    return run("docker-compose", "--project-name", PROJECT, *arguments, environment={"DOCKER_HOST": f"unix://{SOCKET}", "COMPOSE_HTTP_TIMEOUT": "300"}, **options)
