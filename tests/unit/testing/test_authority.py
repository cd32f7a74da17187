"""Certificates of our own."""

import ssl
from pathlib import Path

from mizzle_async.testing.tls import LocalAuthority


def test_an_authoritys_files_are_temporary():
    """Its certificate can be read while it lives, and is gone afterwards."""
    with LocalAuthority() as authority:
        bundle = Path(authority.ca_bundle)
        context = authority.client_context()
        (trusted,) = context.get_ca_certs()
        subject = dict(entry[0] for entry in trusted["subject"])
        assert subject["organizationName"] == "mizzle test authority"
        assert isinstance(authority.server_context(), ssl.SSLContext)
        assert bundle.read_bytes().startswith(b"-----BEGIN CERTIFICATE-----")
        assert b"PRIVATE" not in bundle.read_bytes()
    assert not bundle.exists()
