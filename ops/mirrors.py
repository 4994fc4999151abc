"""What this machine knows about package registries: its certificate authorities and its mirrors.

Builds get both as secrets, so that neither ends up in an image: a mirror's address often has a password in it.
"""

import os
import re
import shlex
import shutil
import ssl
import xml.etree.ElementTree as ET
from pathlib import Path

from ops.shell import BUILD, run

CA = BUILD / "ca.pem"
"""The build secret `ca`; docker-compose.yml names this file."""
MIRRORS = BUILD / "mirrors"
"""The build secret `mirrors`: shell assignments, sourced by the scripts of images/common."""
PROXIES = ("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")
_BUNDLES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
_SYSTEM_BUNDLES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem")


def ca_bundle() -> Path | None:
    """Find the bundle this machine trusts; None where it has none as a file."""
    named = [os.environ.get(name, "") for name in _BUNDLES]
    for candidate in (*named, *_SYSTEM_BUNDLES, ssl.get_default_verify_paths().cafile or ""):
        if candidate and Path(candidate).is_file():
            return Path(candidate)
    return None


def mirrors() -> dict[str, str]:
    """Give the mirrors this machine is set up for; what is missing is the tool's own default."""
    found = {
        "GOPROXY": os.environ.get("GOPROXY") or _asked("go", "env", "GOPROXY"),
        "MAVEN_CENTRAL": os.environ.get("MAVEN_CENTRAL") or maven_mirror(Path.home() / ".m2" / "settings.xml"),
    }
    return {name: value for name, value in found.items() if value}


def pip_index() -> str:
    """Give the package index pip is set up for; empty for pip's own default."""
    return os.environ.get("PIP_INDEX_URL") or _asked("pip", "config", "get", "global.index-url")


def maven_mirror(settings: Path) -> str:
    """Give the address of the mirror of Maven Central in a settings.xml; empty where there is none."""
    if not settings.is_file():
        return ""
    try:
        # a file of the person's own home folder; Maven itself reads it
        root = ET.parse(settings).getroot()  # noqa: S314
    except ET.ParseError:
        return ""
    for mirror in root.iterfind("{*}mirrors/{*}mirror"):
        of = re.split(r"[,\s]+", mirror.findtext("{*}mirrorOf", "").strip())
        if {"*", "central", "external:*"} & set(of) and "!central" not in of:
            return mirror.findtext("{*}url", "").strip()
    return ""


def write_secrets() -> None:
    """Write both secrets; an empty file means the defaults."""
    BUILD.mkdir(exist_ok=True)
    bundle = ca_bundle()
    CA.write_bytes(bundle.read_bytes() if bundle else b"")
    MIRRORS.touch(mode=0o600)
    MIRRORS.write_text("".join(f"export {name}={shlex.quote(value)}\n" for name, value in mirrors().items()))


def build_arguments() -> list[str]:
    """Give what passes this machine's proxies on to a build: by name, for an address often has a password in it."""
    return [part for name in PROXIES if os.environ.get(name) for part in ("--build-arg", name)]


def _asked(*command: str) -> str:
    return run(command).stdout.strip() if shutil.which(command[0]) else ""
