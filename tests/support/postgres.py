"""A PostgreSQL server for tests: a cluster of its own in a temporary folder, reached by a Unix socket there; a port only where a test wants TLS.

PostgreSQL refuses root, so root becomes `nobody` for it.
"""

import csv
import glob
import io
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time


def binaries():
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin/initdb"))
    return pathlib.Path(found[-1]).parent if found else None


class PostgresServer:
    def __init__(self, tls=False):
        """tls: also at `port` of 127.0.0.1, to a role `tollgate` with the password hunter2, with TLS alone (the certificate's file: `certificate`)."""
        self.tls, self.port, self.certificate = tls, None, None
        self.binaries = binaries()
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="tollgate-postgres-"))
        self.process, self.databases = None, 0
        self.prefix = []
        if os.geteuid() == 0:
            shutil.chown(self.folder, "nobody")
            self.prefix = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"]
        self._run([self.binaries / "initdb", "-D", self.folder / "data", "-U", "postgres", "--auth=trust", "--no-sync", "-E", "UTF8",
                   "--locale=C.UTF-8"])

        if tls:
            self._make_certificate()

    def _make_certificate(self):
        self.certificate, key, data = self.folder / "server.pem", self.folder / "server.key", self.folder / "data"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", self.certificate, "-subj", "/CN=localhost", "-days", "2"],
                       check=True, capture_output=True)
        self.folder.chmod(0o755)
        self.certificate.chmod(0o644)
        if os.geteuid() == 0:
            shutil.chown(key, "nobody")
        key.chmod(0o600)
        (data / "pg_hba.conf").write_text("local all all trust\nhostssl all tollgate 127.0.0.1/32 scram-sha-256\nhostssl all tollgate ::1/128 scram-sha-256\n")

    def _listening(self):
        if not self.tls:
            return ["-c", "listen_addresses="]
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        return ["-c", "listen_addresses=localhost", "-p", str(self.port), "-c", "ssl=on", "-c", f"ssl_cert_file={self.certificate}",
                "-c", f"ssl_key_file={self.folder / 'server.key'}"]

    def _run(self, command):
        done = subprocess.run([*self.prefix, *command], cwd="/", capture_output=True, text=True)
        assert done.returncode == 0, done.stderr

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self):
        self.process = subprocess.Popen(
            [*self.prefix, self.binaries / "postgres", "-D", self.folder / "data", "-k", self.folder, *self._listening(),
             "-c", "fsync=off", "-c", "max_connections=60"],
            cwd="/", stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 30
        while subprocess.run([self.binaries / "pg_isready", "-q", "-h", self.folder, *self._port()], cwd="/").returncode != 0:
            assert self.process.poll() is None and time.monotonic() < deadline, "the server did not start"
            time.sleep(0.02)
        return self

    def _port(self):
        return ["-p", str(self.port)] if self.port else []

    def stop(self, how=signal.SIGINT):
        """SIGINT cuts sessions off and shuts down; SIGQUIT is a crash."""
        if self.process is None:
            return
        self.process.send_signal(how)
        self.process.wait(30)
        self.process = None

    def fresh_database(self):
        self.databases += 1
        name = f"ledger_{self.databases}"
        self.rows("postgres", f"CREATE DATABASE {name}")
        if self.tls:
            self.rows("postgres", "CREATE ROLE tollgate LOGIN PASSWORD 'hunter2'")
            self.rows("postgres", f"ALTER DATABASE {name} OWNER TO tollgate")
        return name

    def url(self, database):
        return f"postgresql://postgres@/{database}?host={self.folder}"

    def rows(self, database, sql):
        """Rows as dicts of texts; NULL is None."""
        done = subprocess.run(
            [self.binaries / "psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "--csv", "-P", "null=<null>", "-h", self.folder, *self._port(), "-U", "postgres",
             "-d", database, "-c", sql], cwd="/", capture_output=True, text=True,
            env={**os.environ, "PGOPTIONS": "-c search_path=tollgate,public"})
        assert done.returncode == 0, done.stderr
        return [{key: None if value == "<null>" else value for key, value in row.items()} for row in csv.DictReader(io.StringIO(done.stdout))]

    def number(self, database, sql):
        return int(next(iter(self.rows(database, sql)[0].values())))
