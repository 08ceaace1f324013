"""The proxy of the compose file, run as the real program on ports of loopback."""

import datetime as dt
import ipaddress
import os
import ssl
import subprocess
import time
from pathlib import Path

import httpx
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from conftest import find_nginx
from stations.certificates.proxy import prepare

from .names import NameServer
from .server import ROOT, START_TIMEOUT_S, free_port


class Proxy:
    """nginx as docker-compose.yml sets it up, before gateways that a name server names.

    Only what a container would give is replaced: the names of hosts, ports and directories. All
    gateways listen on one port, as containers do, each at an address of its own (127.0.0.0/8).
    """

    def __init__(self, directory: Path, *, server_port: int, keys: Path | None = None) -> None:
        self.directory, self.server_port = directory, server_port
        self.port, self.tls_port, self.health_port = free_port(), free_port(), free_port()
        self.keys = keys or directory / "keys"
        (directory / "temp").mkdir(parents=True)
        if keys is None:
            prepare(self.keys, ["127.0.0.1"])
        self.names = NameServer()
        self.names.addresses["gateway"] = ["127.0.0.1"]
        for target, content in configurations().items():
            (directory / target).write_text(self._here(content))
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "Proxy":
        nginx = find_nginx()
        assert nginx is not None
        options = f"daemon off; pid {self.directory}/pid; error_log {self.directory}/log;"
        if os.geteuid() == 0:
            options += " user root;"
        with (self.directory / "output").open("wb") as output:
            command = [nginx, "-p", self.directory, "-c", "nginx.conf", "-g", options]
            self.process = subprocess.Popen(command, stdout=output, stderr=output)
        self._wait_ready()
        return self

    def __exit__(self, *error: object) -> None:
        assert self.process is not None
        self.process.terminate()
        self.process.wait(10)
        self.names.close()

    @property
    def base_url(self) -> str:
        return f"https://127.0.0.1:{self.tls_port}"

    def url(self, station_id: str) -> str:
        return f"wss://127.0.0.1:{self.tls_port}/ws/{station_id}"

    def plain_url(self, station_id: str) -> str:
        return f"ws://127.0.0.1:{self.port}/ws/{station_id}"

    def tls(self, identity: Path | None = None) -> ssl.SSLContext:
        """A client's side of TLS, with the certificate and key of a file, or without."""
        context = ssl.create_default_context(cafile=str(self.keys / "stations.pem"))
        if identity is not None:
            context.load_cert_chain(identity)
        return context

    def _here(self, content: str) -> str:
        temporary = "".join(
            f"  {kind}_temp_path {self.directory}/temp/{kind};\n"
            for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        replaced = {
            "$$": "$",
            "http {\n": f"http {{\n  access_log off;\n{temporary}",
            "resolver 127.0.0.11 ": f"resolver 127.0.0.1:{self.names.port} ",
            "//$gateway:8180;": f"//$gateway:{self.server_port};",
            "listen 8180 ": f"listen 127.0.0.1:{self.port} ",
            "listen 8443 ": f"listen 127.0.0.1:{self.tls_port} ",
            "listen 127.0.0.1:8181;": f"listen 127.0.0.1:{self.health_port};",
            "/etc/nginx/keys": str(self.keys),
            "/etc/nginx": str(self.directory),
        }
        for old, new in replaced.items():
            content = content.replace(old, new)
        return content

    def _wait_ready(self) -> None:
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline:
            assert self.process is not None
            assert self.process.poll() is None, (self.directory / "output").read_text()
            try:
                httpx.get(f"http://127.0.0.1:{self.health_port}/").raise_for_status()
                return
            except httpx.HTTPError:
                time.sleep(0.05)
        raise AssertionError("The proxy did not start.")


def configurations() -> dict[str, str]:
    """What the compose file mounts into /etc/nginx, by the path there."""
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return {
        mount["target"].removeprefix("/etc/nginx/"): compose["configs"][mount["source"]]["content"]
        for mount in compose["services"]["proxy"]["configs"]
    }


def self_signed(name: str) -> tuple[str, str]:
    """A certificate that no authority issued, good for an address, and its key; both PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    )
    if name[0].isdigit():
        address = x509.IPAddress(ipaddress.ip_address(name))
        builder = builder.add_extension(x509.SubjectAlternativeName([address]), critical=False)
    certificate = builder.sign(key, hashes.SHA256())
    return certificate.public_bytes(serialization.Encoding.PEM).decode(), private_pem(key)


def private_pem(key: ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()
