"""An authority of the tests' own, and certificates that it signed, made by the openssl program."""

import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """Files in PEM; *both* has the certificate behind its key."""

    certificate: Path
    key: Path
    both: Path


class Authority:
    """Signs certificates of servers on this machine and of clients."""

    def __init__(self, directory: Path, name: str = "tests") -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._directory = directory
        self._name = name
        self.file = directory / f"{name}-ca.pem"
        self._key = directory / f"{name}-ca.key"
        subject = ("-subj", f"/CN={name} authority", "-days", "3650", "-nodes", "-newkey", "rsa:2048")
        usage = ("-addext", "keyUsage=critical,keyCertSign,cRLSign")  # Python 3.13 wants it of an authority
        _openssl("req", "-x509", *subject, *usage, "-keyout", str(self._key), "-out", str(self.file))

    def issue(self, name: str) -> Certificate:
        """Return a certificate of *name* for localhost and 127.0.0.1."""
        paths = {part: self._directory / f"{self._name}-{name}.{part}" for part in ("key", "csr", "pem", "ext", "both")}
        _openssl(
            *("req", "-new", "-nodes", "-newkey", "rsa:2048", "-subj", f"/CN={name}"),
            *("-keyout", str(paths["key"]), "-out", str(paths["csr"])),
        )
        paths["ext"].write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\nauthorityKeyIdentifier=keyid\n")
        _openssl(
            *("x509", "-req", "-in", str(paths["csr"]), "-CA", str(self.file), "-CAkey", str(self._key)),
            *("-CAcreateserial", "-days", "3650", "-extfile", str(paths["ext"]), "-out", str(paths["pem"])),
        )
        paths["both"].write_text(paths["key"].read_text() + paths["pem"].read_text())
        return Certificate(certificate=paths["pem"], key=paths["key"], both=paths["both"])


def _openssl(*arguments: str) -> None:
    answer = subprocess.run(["openssl", *arguments], capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr
