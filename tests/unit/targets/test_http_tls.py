"""HTTP targets over TLS: a certificate that is trusted, wrong ones, and a server that speaks none.

Relies on certificates made here with the library that moto brings, valid for the run of the tests.
"""

from __future__ import annotations

import asyncio
import datetime
import ipaddress
import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from rulebus.attempt import Failure
from rulebus.targets.http import HttpTarget
from rulebus.testing.targets_contract import delivery_of
from unit.targets.http_server import Server


def certificate(folder: Path, name: str, days: int = 1) -> Path:
    """A certificate for an address or name, signed by itself, with its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    try:
        alternative: x509.GeneralName = x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        alternative = x509.DNSName(name)
    built = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=2))
        .not_valid_after(now + datetime.timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([alternative]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = folder / f"{name}{days}.pem"
    file.write_bytes(
        built.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return file


def outcome(served: Path | None, trusted: Path | None) -> Failure | None:
    async def run() -> Failure | None:
        tls = None
        if served is not None:
            tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            tls.load_cert_chain(served)
        context = None if trusted is None else ssl.create_default_context(cafile=str(trusted))
        async with Server(tls=tls) as server:
            url = f"https://127.0.0.1:{server.port}/orders"
            target = HttpTarget(url, allow=["127.0.0.1"], tls=context)
            answer = await target.deliver([delivery_of(b"{}")])
            await target.close()
            assert len(server.requests) == (0 if answer else 1)
            return None if answer is None else answer[0]

    return asyncio.run(run())


def test_a_trusted_certificate_is_taken(tmp_path: Path) -> None:
    good = certificate(tmp_path, "127.0.0.1")
    assert outcome(good, trusted=good) is None


@pytest.mark.parametrize(
    ("name", "days", "trust"), [("127.0.0.1", 1, False), ("other.example", 1, True), ("127.0.0.1", -1, True)]
)
def test_a_wrong_certificate_gets_no_event(tmp_path: Path, name: str, days: int, trust: bool) -> None:
    served = certificate(tmp_path, name, days)
    failure = outcome(served, trusted=served if trust else None)
    assert failure is not None
    assert (failure.kind, failure.code) == ("retryable", "TLS_FAILED")
    assert "certificate" in failure.message


def test_a_server_without_tls_gets_no_event() -> None:
    failure = outcome(None, trusted=None)
    assert failure is not None
    assert (failure.kind, failure.code) == ("retryable", "TLS_FAILED")
