"""STARTTLS for real: a certificate, a server that has it, and one that was robbed of it."""

from __future__ import annotations

import base64
import ssl
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from around import Notifier, group, until
from smtp_server import SmtpServer

Start = Callable[..., Notifier]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("tls")
    key, cert = folder / "key.pem", folder / "cert.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
            *("-keyout", str(key), "-out", str(cert), "-days", "2", "-subj", "/CN=localhost"),
            *("-addext", "subjectAltName=DNS:localhost"),
        ],
        check=True,
        capture_output=True,
    )
    return key, cert


@pytest.fixture
def secure(certificate: tuple[Path, Path]) -> Iterator[SmtpServer]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate[1], certificate[0])
    server = SmtpServer(context)
    yield server
    server.close()


def test_the_password_goes_over_tls_only(
    start: Start, secure: SmtpServer, certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[1]))
    made = start(
        smtp_host="localhost",
        smtp_port=secure.port,
        smtp_security="starttls",
        smtp_username="me",
        smtp_password="secret",
    )
    made.post(group())
    until(lambda: secure.mails)
    assert secure.encrypted == 1
    assert [base64.b64decode(login) for login in secure.logins] == [b"\0me\0secret"]


def test_an_unknown_certificate_gets_no_mail(start: Start, secure: SmtpServer) -> None:
    made = start(smtp_host="localhost", smtp_port=secure.port, smtp_security="starttls", delivery_lifetime_seconds=0.1)
    made.post(group())
    [letter] = until(made.dead_letters)
    assert "certificate" in letter["last_error"].lower()
    assert not secure.mails


def test_a_server_without_starttls_gets_no_mail(start: Start, smtp: SmtpServer) -> None:
    made = start(smtp_host="127.0.0.1", smtp_port=smtp.port, smtp_security="starttls", delivery_lifetime_seconds=0.1)
    made.post(group())
    [letter] = until(made.dead_letters)
    assert "STARTTLS" in letter["last_error"]
    assert not smtp.mails
