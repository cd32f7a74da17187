"""The processes of a run: the loopback server, its certificate authority, and one for each measured client."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from harness import environments, workload
from harness.measure import Settings

HERE = Path(__file__).resolve().parent
MAKE_CERTIFICATES = """
import sys, trustme
folder, authority = sys.argv[1], trustme.CA()
authority.cert_pem.write_to_path(folder + "/authority.pem")
certificate = authority.issue_cert("localhost", "127.0.0.1")
certificate.private_key_pem.write_to_path(folder + "/key.pem")
for part in certificate.cert_chain_pems:
    part.write_to_path(folder + "/certificate.pem", append=True)
"""


@dataclass(frozen=True)
class Certificates:
    """A local certificate authority, and the server's certificate from it."""

    authority: Path
    certificate: Path
    key: Path


def make_certificates() -> Certificates:
    """Make a certificate authority once, beside the environments."""
    folder = environments.cache_folder() / "certificates"
    if not (folder / "certificate.pem").exists():
        folder.mkdir(parents=True, exist_ok=True)
        python = environments.interpreter(HERE / "server.txt")
        subprocess.run([str(python), "-c", MAKE_CERTIFICATES, str(folder)], check=True)
    return Certificates(folder / "authority.pem", folder / "certificate.pem", folder / "key.pem")


def clean_environment(certificates: Path | None = None) -> dict[str, str]:
    """Make a client's environment: static credentials, no user's configuration, no proxy, the local authority."""
    kept = {
        name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "LANG", "TMPDIR", "SYSTEMROOT"}
    }
    kept |= {
        "AWS_ACCESS_KEY_ID": workload.ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": workload.SECRET_KEY,
        "AWS_DEFAULT_REGION": workload.REGION,
        "AWS_REGION": workload.REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }
    if certificates:
        kept |= {"SSL_CERT_FILE": str(certificates), "AWS_CA_BUNDLE": str(certificates)}
    return kept


class Process:
    """A child that reads orders and writes answers, one line of JSON each."""

    def __init__(self, command: list[str], environment: Mapping[str, str], errors: Path | None = None) -> None:
        self._errors = errors.open("w") if errors else None
        self._child = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors or subprocess.DEVNULL,
            env=dict(environment),
            text=True,
        )
        if self._child.stdin is None or self._child.stdout is None:
            raise AssertionError("a pipe was asked for")
        self._orders, self._answers = self._child.stdin, self._child.stdout

    def read(self) -> dict[str, Any]:
        """Read one answer.

        Raises:
            EOFError: The process died.
        """
        line = self._answers.readline()
        if not line:
            message = f"the process ended with status {self._child.wait()}"
            raise EOFError(message)
        answer: dict[str, Any] = json.loads(line)
        return answer

    def order(self, order: Mapping[str, Any]) -> dict[str, Any]:
        """Send one order and read its answer."""
        self._orders.write(json.dumps(order) + "\n")
        self._orders.flush()
        return self.read()

    def close(self) -> None:
        """Let the process end, and see that it does."""
        self._orders.close()
        try:
            self._child.wait(5)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
        self._answers.close()
        if self._errors:
            self._errors.close()

    def __enter__(self) -> Self:
        """Nothing: it runs already."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        self.close()


class Server(Process):
    """The loopback server.

    Attributes:
        endpoint: Its address, by a name that its certificate has.
        certificates: The file of the authority behind it, or None without TLS.
    """

    def __init__(self, *, tls: bool = False, python: str | None = None) -> None:
        python = python or str(environments.interpreter(HERE / "server.txt"))
        command = [python, "-P", str(HERE / "server.py")]
        self.certificates: str | None = None
        if tls:
            made = make_certificates()
            self.certificates = str(made.authority)
            command += ["--certificate", str(made.certificate), "--key", str(made.key)]
        super().__init__(command, clean_environment())
        scheme = "https://localhost" if tls else "http://127.0.0.1"
        self.endpoint = f"{scheme}:{self.read()['port']}"


class Client(Process):
    """One measured client.

    Attributes:
        ready: The operations that gave the right answer.
        failures: Why the others are not measured.
    """

    def __init__(
        self,
        python: Path,
        client: Path,
        settings: Settings,
        errors: Path | None = None,
        probe: Path = HERE / "measure.py",
    ) -> None:
        command = [str(python), "-P", str(probe), str(client), "--settings", json.dumps(asdict(settings))]
        authority = Path(settings.certificates) if settings.certificates else None
        super().__init__(command, clean_environment(authority), errors)
        try:
            said = self.read()
        except EOFError as error:
            said = {"ready": [], "failures": {"start": str(error)}}
        self.ready: list[str] = said["ready"]
        self.failures: dict[str, str] = said["failures"]
