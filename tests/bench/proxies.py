"""The programs that compare.py measures, each with one worker thread: the gateway, nginx and HAProxy, set up as fairly as they allow."""

import os
import pathlib
import signal
import socket
import subprocess
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = ROOT / "build/release"
PROXY_CPU, LOAD_CPU = "0", "1"
KEY = "tg-" + "b3" * 32

GATEWAY = """\
version: 1
server: {{listen: "127.0.0.1:{port}", reactors: 1}}
admin: {{listen: "127.0.0.1:0"}}
ledger: {{url: "sqlite:{directory}/ledger.db"}}
log: {{access: false}}
auth: {{keys: [{{name: bench, team: bench, sha256: "{hash}"}}]}}
backends:
  bench:
    dialect: {dialect}
    url: {scheme}://127.0.0.1:{upstream}
    transport: {transport}
    pool: {{billing: dedicated, gpu: H100, gpus: 2, usd_per_gpu_hour: "2.49"}}
    models: {{bench: {{context_tokens: 131072, capability: 1.0}}}}
routes:
  - {{name: auto, when: {{model: auto}}, choose: cheapest, among: [bench/bench], cost_basis: marginal}}
"""

NGINX = """\
daemon off; master_process off; pid {directory}/nginx.pid; error_log {directory}/nginx.log error;
events {{ worker_connections 9000; multi_accept on; }}
http {{
  access_log off; keepalive_requests 100000000; keepalive_timeout 600s; tcp_nodelay on;
  client_body_buffer_size 256k; client_max_body_size 32m;
  client_body_temp_path {directory}/b; proxy_temp_path {directory}/p; fastcgi_temp_path {directory}/f;
  uwsgi_temp_path {directory}/u; scgi_temp_path {directory}/s;
  upstream bench {{ server 127.0.0.1:{upstream}; keepalive 4096; keepalive_requests 100000000; }}
  server {{
    listen 127.0.0.1:{port}{listen_tls} backlog=8192;
    {certificate}
    location / {{
      proxy_pass {scheme}://bench; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_buffering off; proxy_request_buffering on; proxy_read_timeout 600s;
      {verify}
    }}
  }}
}}
"""

HAPROXY = """\
global
  nbthread 1
  maxconn 8000
defaults
  mode http
  option http-keep-alive
  option http-no-delay
  timeout connect 5s
  timeout client 600s
  timeout server 600s
  http-reuse always
frontend in
  bind 127.0.0.1:{port} backlog 8192
  default_backend out
backend out
  server bench 127.0.0.1:{upstream}{tls} maxconn 8000
"""


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


def wait_for(port, process, log):
    for _ in range(200):
        if process.poll() is not None:
            raise RuntimeError(f"it ended at the start: {pathlib.Path(log).read_text()}")
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError(f"nothing listens on port {port}")


class Program:
    """A program pinned to a CPU, and what the kernel says of it."""

    def __init__(self, name, command, port, cpu, directory, environment=None):
        self.name, self.port = name, port
        log = pathlib.Path(directory) / f"{name.replace(' ', '-')}.log"
        with open(log, "wb") as output:
            self.process = subprocess.Popen(["taskset", "-c", cpu, *map(str, command)], stdout=output, stderr=output, cwd=directory,
                                            env={**os.environ, **(environment or {})})
        try:
            wait_for(port, self.process, log)
        except RuntimeError:
            self.stop()
            raise

    def cpu_seconds(self):
        """Of all threads. taskset became the program itself, so its number is ours."""
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def rss_bytes(self):
        for line in pathlib.Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        return 0

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


class Certificates:
    """A CA that nobody knows and a certificate for 127.0.0.1, for the rows with TLS."""

    def __init__(self, directory):
        self.ca, self.certificate, self.key = (f"{directory}/{name}" for name in ("ca.pem", "server.pem", "server.key"))
        quiet = {"check": True, "capture_output": True, "cwd": directory}
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                        "-subj", "/CN=bench CA", "-keyout", "ca.key", "-out", "ca.pem"], **quiet)
        subprocess.run(["openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=127.0.0.1",
                        "-keyout", "server.key", "-out", "server.csr"], **quiet)
        (pathlib.Path(directory) / "san").write_text("subjectAltName=IP:127.0.0.1\n")
        subprocess.run(["openssl", "x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2",
                        "-extfile", "san", "-out", "server.pem"], **quiet)


def upstream(directory, **options):
    port = free_port()
    flags = [word for name, value in options.items() for word in (f"--{name.replace('_', '-')}", value)]
    return Program(f"upstream {port}", [BUILD / "bench_upstream", "--port", port, *flags], port, LOAD_CPU, directory)


def tls_upstream(directory, plain_port, certificates):
    """nginx with a certificate in front of the cheap upstream, on the load's CPU."""
    port = free_port()
    path = pathlib.Path(directory) / "tls.conf"
    path.write_text(NGINX.format(directory=directory, port=port, upstream=plain_port, scheme="http", listen_tls=" ssl", verify="",
                                 certificate=f"ssl_certificate {certificates.certificate}; ssl_certificate_key {certificates.key};"))
    return Program("tls upstream", ["nginx", "-c", path], port, LOAD_CPU, directory)


def gateway(directory, upstream_port, name="tollgate", transport="auto", tls=None, dialect="vllm"):
    import hashlib
    port = free_port()
    home = pathlib.Path(directory) / name.replace(" ", "-")
    home.mkdir(exist_ok=True)
    path = home / "bench.yaml"
    path.write_text(GATEWAY.format(port=port, directory=home, upstream=upstream_port, scheme="https" if tls else "http", dialect=dialect,
                                   transport=transport, hash=hashlib.sha256(KEY.encode()).hexdigest()))
    return Program(name, [BUILD / "tollgate", "serve", "--config", path], port, PROXY_CPU, directory,
                   {"SSL_CERT_FILE": tls.ca} if tls else None)


def nginx(directory, upstream_port, name="nginx", tls=None):
    port = free_port()
    path = pathlib.Path(directory) / f"{name.replace(' ', '-')}.conf"
    verify = f"proxy_ssl_verify on; proxy_ssl_trusted_certificate {tls.ca}; proxy_ssl_name 127.0.0.1; proxy_ssl_session_reuse on;" if tls else ""
    path.write_text(NGINX.format(directory=directory, port=port, upstream=upstream_port, scheme="https" if tls else "http", listen_tls="",
                                 certificate="", verify=verify))
    return Program(name, ["nginx", "-c", path], port, PROXY_CPU, directory)


def haproxy(directory, upstream_port, name="HAProxy", tls=None):
    port = free_port()
    path = pathlib.Path(directory) / f"{name.replace(' ', '-')}.cfg"
    path.write_text(HAPROXY.format(port=port, upstream=upstream_port, tls=f" ssl verify required ca-file {tls.ca}" if tls else ""))
    return Program(name, ["haproxy", "-db", "-f", path], port, PROXY_CPU, directory)


def ready(port):
    """Any answer will do: the first request of a program is not measured."""
    request = urllib.request.Request(f"http://127.0.0.1:{port}/v1/models", headers={"authorization": f"Bearer {KEY}"})
    try:
        urllib.request.urlopen(request, timeout=5).read()
    except urllib.error.HTTPError:
        pass
