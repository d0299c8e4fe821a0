"""`./dev package --prove`: the Debian package is installed, run, upgraded, removed and purged in a Debian 12 of its own, made by debootstrap.

    python3 tests/packages/package_test.py FILE.deb [--keep]

As root. No systemd runs in there: what the unit would start is started by hand, as the package's account. The folder is
build/package-test; the bare system is kept there as debian.tar for the next time.
"""

import argparse
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
WORK = ROOT / "build/package-test"
TREE = WORK / "debian"
# What lintian finds that is meant: packages outside Debian have no bug that they close, and no man page per subcommand.
MEANT = ("initial-upload-closes-no-bugs", "no-changelog", "changelog-file-missing-in-native-package", "debian-changelog-file-missing", "copyright-without-copyright-notice",
         "bogus-mail-host", "maintainer-script-calls-systemctl", "unknown-field", "wrong-path-for-interpreter")
proofs = []


class Failed(Exception):
    """A step that did not do what it should."""


def proved(text):
    proofs.append(text)
    print(f"  proved: {text}", flush=True)


def expect(holds, otherwise):
    if not holds:
        raise Failed(otherwise)


def run(*command, limit=900, check=True, **more):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=limit, check=False, **more)
    if check and done.returncode != 0:
        raise Failed(f"{' '.join(map(str, command[:6]))}: exit {done.returncode}\n{(done.stdout + done.stderr)[-3000:]}")
    return done


def inside(*command, **more):
    """A command in the other system."""
    return run("chroot", TREE, *command, env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND": "noninteractive", "LANG": "C.UTF-8"}, **more)


def make_system():
    archive = WORK / "debian.tar"
    shutil.rmtree(TREE, ignore_errors=True)
    if not archive.exists():
        run("debootstrap", "--variant=minbase", "bookworm", TREE)
        run("tar", "-C", TREE, "-cf", archive, ".")
    else:
        TREE.mkdir(parents=True)
        run("tar", "-C", TREE, "-xf", archive)
    for name in ("sources.list.d", "apt.conf.d"):      # the mirrors of this machine
        for file in pathlib.Path("/etc/apt", name).glob("*"):
            shutil.copy(file, TREE / "etc/apt" / name / file.name)
    (TREE / "etc/resolv.conf").write_text(pathlib.Path("/etc/resolv.conf").read_text())
    (TREE / "etc/hosts").write_text(pathlib.Path("/etc/hosts").read_text())
    run("mount", "--bind", "/dev", TREE / "dev")
    run("mount", "-t", "proc", "proc", TREE / "proc")


def leave_system():
    for name in ("dev", "proc"):
        run("umount", TREE / name, check=False)


def check_package(package):
    listing = run("dpkg-deb", "--contents", package).stdout
    for path in ("./usr/bin/tollgate", "./etc/tollgate/tollgate.yaml", "./lib/systemd/system/tollgate.service", "./usr/share/man/man1/tollgate.1.gz",
                 "./usr/share/bash-completion/completions/tollgate", "./usr/share/doc/tollgate/configuration.md", "./usr/share/doc/tollgate/examples/company.yaml",
                 "./usr/share/tollgate/grafana/dashboards/spend.json", "./usr/share/tollgate/prometheus/rules/alerts.yaml"):
        expect(path in listing, f"the package lacks {path}")
    depends = run("dpkg-deb", "--field", package, "Depends").stdout
    expect("libcurl4" in depends and "libssl3" in depends, f"the package's dependencies: {depends}")
    proved(f"{package.name}, {package.stat().st_size / 1e6:.1f} MB: program, service, configuration, manual, completions, docs, examples, dashboards, rules")
    if shutil.which("lintian"):
        said = run("lintian", "--no-tag-display-limit", "--allow-root", package, check=False).stdout.split("\n")
        errors = [line for line in said if line.startswith("E:") and not any(tag in line for tag in MEANT)]
        expect(not errors, "lintian:\n" + "\n".join(errors))
        proved(f"lintian finds no error ({sum(line.startswith('W:') for line in said)} warnings)")


def install(package):
    shutil.copy(package, TREE / "tmp/tollgate.deb")
    inside("apt-get", "update")
    inside("apt-get", "install", "-y", "--no-install-recommends", "/tmp/tollgate.deb", "systemd")
    account = inside("getent", "passwd", "tollgate").stdout
    expect(":/var/lib/tollgate:" in account and "nologin" in account, f"the account: {account!r}")
    state = os.stat(TREE / "var/lib/tollgate")
    expect(oct(state.st_mode)[-3:] == "750" and state.st_uid == int(account.split(":")[2]), "the state folder is not the account's alone")
    expect(oct(os.stat(TREE / "etc/default/tollgate").st_mode)[-3:] == "600", "/etc/default/tollgate can be read by others")
    proved("it installs with its dependencies from Debian 12; its account, state folder and the modes of its files are right")
    expect(inside("tollgate", "check", "/etc/tollgate/tollgate.yaml", "--strict").returncode == 0, "the shipped configuration is not valid")
    proved("`tollgate check --strict` takes the shipped configuration")
    unit = inside("systemd-analyze", "verify", "/lib/systemd/system/tollgate.service", check=False)
    expect("tollgate.service" not in "".join(line for line in unit.stderr.split("\n") if "man " not in line), unit.stderr)
    score = re.search(r"exposure level.*?: (\S+)", inside("systemd-analyze", "security", "--offline=true", "tollgate.service", check=False).stdout)
    proved(f"systemd-analyze verifies the unit; exposure {score[1] if score else 'not scored'}")


def start():
    """What the unit does, by hand: the account, its folder, the configuration by the variable."""
    expect(inside("setpriv", "--reuid", "tollgate", "--regid", "tollgate", "--clear-groups", "env", "TOLLGATE_CONFIG=/etc/tollgate/tollgate.yaml", "tollgate", "check").returncode == 0, "check")
    return subprocess.Popen(["chroot", str(TREE), "setpriv", "--reuid", "tollgate", "--regid", "tollgate", "--clear-groups", "--bounding-set", "-all", "--no-new-privs",
                             "env", "-C", "/var/lib/tollgate", "TOLLGATE_CONFIG=/etc/tollgate/tollgate.yaml", "tollgate", "serve"],
                            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def serve():
    gateway = start()
    try:
        end = time.monotonic() + 30
        while inside("tollgate", "healthcheck", "--config", "/etc/tollgate/tollgate.yaml", check=False).returncode != 0:
            expect(gateway.poll() is None and time.monotonic() < end, "the gateway does not start")
            time.sleep(0.3)
        body = json.dumps({"model": "auto", "messages": [{"role": "user", "content": "What is the capital of France?"}]})
        asked = run("curl", "-sSi", "--noproxy", "*", "http://127.0.0.1:8080/v1/chat/completions", "-H", "content-type: application/json", "-d", body).stdout
        cost = re.search(r"x-tollgate-cost-usd: (\S+)", asked, re.I)
        expect(cost, asked)
        proved(f"it starts as its account without capabilities; a request costs {cost[1]} USD")
    finally:
        gateway.send_signal(signal.SIGTERM)
        code = gateway.wait(60)
    expect(code == 0, f"it stops with {code}: {gateway.stderr.read()[-1000:]}")
    spent = json.loads(inside("tollgate", "costs", "--config", "/etc/tollgate/tollgate.yaml", "--json").stdout)
    proved(f"it stops with 0, and the ledger has the request: {json.dumps(spent.get('total', spent))[:150]}")


def shells():
    page = inside("zcat", "/usr/share/man/man1/tollgate.1.gz").stdout
    expect(page.startswith(".") and "tollgate" in page, "the manual page is empty")
    if shutil.which("mandoc"):
        lint = run("mandoc", "-T", "lint", "-W", "warning", TREE / "usr/share/man/man1/tollgate.1.gz", check=False)
        expect(lint.returncode < 3, lint.stdout[-2000:])
        proved("mandoc finds no warning in the manual page")
    checked = []
    for shell, file in (("bash", "bash-completion/completions/tollgate"), ("zsh", "zsh/vendor-completions/_tollgate"), ("fish", "fish/vendor_completions.d/tollgate.fish")):
        if shutil.which(shell):
            run(shell, "-n", TREE / "usr/share" / file)
            checked.append(shell)
    proved(f"completions are read by {', '.join(checked)}")


def change_and_remove(package):
    config = TREE / "etc/tollgate/tollgate.yaml"
    config.write_text(config.read_text() + "# changed by hand\n")
    inside("dpkg", "-i", "/tmp/tollgate.deb")
    expect("changed by hand" in config.read_text(), "installing again took the changed configuration away")
    proved("installing again keeps a changed configuration")
    inside("dpkg", "--remove", "tollgate")
    expect(not (TREE / "usr/bin/tollgate").exists() and config.exists() and (TREE / "var/lib/tollgate/tollgate.db").exists(), "remove takes too much or too little")
    proved("remove takes the program and leaves configuration and ledger")
    inside("dpkg", "--purge", "tollgate")
    left = [path for path in ("etc/tollgate", "etc/default/tollgate", "var/lib/tollgate", "usr/share/tollgate", "usr/share/doc/tollgate") if (TREE / path).exists()]
    expect(not left, f"purge leaves {left}")
    proved("purge leaves nothing but the account")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("package", type=pathlib.Path)
    parser.add_argument("--keep", action="store_true", help="leave the system for a look")
    options = parser.parse_args()
    WORK.mkdir(parents=True, exist_ok=True)
    try:
        expect(os.geteuid() == 0, "the proof needs root: it makes a system with debootstrap")
        check_package(options.package.resolve())
        make_system()
        try:
            install(options.package)
            serve()
            shells()
            change_and_remove(options.package)
        finally:
            leave_system()
            if not options.keep:
                shutil.rmtree(TREE, ignore_errors=True)
    except Failed as failed:
        print(f"FAILED: {failed}")
        return 1
    print("  not proved: systemd itself starting the unit; none runs here")
    print(f"{len(proofs)} passed, 0 failed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
