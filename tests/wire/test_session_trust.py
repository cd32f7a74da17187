"""Whom a client trusts: the system's store, botocore's bundle where that is empty, on every way to the service."""

import asyncio
import contextlib
import ssl
from pathlib import Path

import pytest
from aiobotocore.config import AioConfig
from aiobotocore.session import AioSession

from mizzle_async import errors
from mizzle_async.testing.replies import Reply
from mizzle_async.testing.server import ScriptedServer
from mizzle_async.testing.tls import LocalAuthority
from mizzle_async.types import RepeatSafety, WireRequest
from mizzle_async.wire.pipeline import open_pipeline
from mizzle_async.wire.pool.tls import make_tls_context
from mizzle_async.wire.retry import RetryPolicy
from mizzle_async.wire.session import trust
from mizzle_async.wire.settings import WireSettings

ITEM = Reply({"Item": {"a": {"S": "b"}}})
GET = WireRequest("GetItem", b'{"TableName":"orders"}', "orders", RepeatSafety.READ)
FAR = "dynamodb.example"


@pytest.fixture(scope="module")
def authority():
    """An authority of our own."""
    with LocalAuthority() as it:
        yield it


@pytest.fixture(autouse=True)
def no_settings(monkeypatch):
    """Hide the machine's own proxies and bundles."""
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture
def empty_store(monkeypatch, tmp_path):
    """Give the system a certificate store without a certificate."""
    (tmp_path / "certs").mkdir()
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path / "certs"))


async def relay(reader, writer):
    """Pass bytes on until there are no more."""
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()


@contextlib.asynccontextmanager
async def tunnels(tls=None):
    """Start a proxy that connects every tunnel to this machine; yield its port and the heads that it read."""
    heads, running = [], []

    async def tunnel(reader, writer):
        head = await reader.readuntil(b"\r\n\r\n")
        heads.append(head)
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", int(head.split()[1].rpartition(b":")[2]))
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        running.append(asyncio.gather(relay(reader, far_writer), relay(far_reader, writer), return_exceptions=True))

    async with await asyncio.start_server(tunnel, "127.0.0.1", ssl=tls) as proxy:
        yield proxy.sockets[0].getsockname()[1], heads
        await asyncio.gather(*running)


@contextlib.asynccontextmanager
async def opened(url, **options):
    """Open a pipeline to an endpoint."""
    pipeline = await open_pipeline(
        WireSettings(
            endpoint_url=url,
            region_name="eu-west-1",
            credentials=options.pop("credentials", ("AKID", "secret")),
            retry=RetryPolicy.no_backoff(),
            **options,
        )
    )
    try:
        yield pipeline
    finally:
        await pipeline.aclose()


async def both_ways(authority, monkeypatch):
    """Make one call by our own connections and one through a proxy; return the results, errors included."""
    context = authority.server_context(["localhost", FAR])
    async with ScriptedServer(then=ITEM, tls=context) as server, tunnels() as (port, heads):
        async with opened(server.url) as pipeline:
            results = await asyncio.gather(pipeline.call(GET), return_exceptions=True)
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{port}")
        async with opened(f"https://{FAR}:{server.endpoint.port}") as pipeline:
            results += await asyncio.gather(pipeline.call(GET), return_exceptions=True)
        assert len(heads) >= 1
        return results


async def test_where_the_store_is_empty_botocores_bundle_is_trusted(monkeypatch, authority, empty_store):
    """An image without authorities works as with boto3, by our own connections and through a proxy."""
    monkeypatch.setattr(trust, "_spare_bundle", lambda: authority.ca_bundle)
    results = await both_ways(authority, monkeypatch)
    assert [result.payload for result in results] == [ITEM.payload] * 2


async def test_botocores_bundle_is_the_one_it_verifies_with_itself(empty_store):
    """The spare bundle is a file with authorities; a client without a store has as many as the file."""
    context = trust.endpoint_tls({"verify": True})
    assert context.cert_store_stats()["x509_ca"] > 50
    assert "botocore" in context.anchors or "certifi" in context.anchors
    assert "because the system's certificate store is empty" in context.anchors


async def test_the_systems_store_is_trusted_on_both_ways(monkeypatch, authority):
    """A company's authority that the system trusts is trusted through a proxy too."""
    monkeypatch.setenv("SSL_CERT_FILE", authority.ca_bundle)
    results = await both_ways(authority, monkeypatch)
    assert [result.payload for result in results] == [ITEM.payload] * 2


async def test_a_refused_certificate_names_the_store_and_the_remedy(monkeypatch, authority, tmp_path):
    """Both ways say which store refused it, and which setting names another."""
    with LocalAuthority() as other:
        monkeypatch.setenv("SSL_CERT_FILE", other.ca_bundle)
        monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
        by_system = await both_ways(authority, monkeypatch)
        for error in by_system:
            assert type(error) is errors.TransportError
            assert f"the system's certificate store ({other.ca_bundle}, {tmp_path})" in str(error)
            assert "set AWS_CA_BUNDLE to a file of the authorities to trust" in str(error)
        monkeypatch.setenv("AWS_CA_BUNDLE", other.ca_bundle)
        monkeypatch.delenv("HTTPS_PROXY")
        for error in await both_ways(authority, monkeypatch):
            assert type(error) is errors.TransportError
            assert f"Trusted: the authorities in {other.ca_bundle}" in str(error)
            assert "add its authority to that file" in str(error)


def test_a_store_that_is_read_on_demand_is_not_empty(monkeypatch, authority, tmp_path):
    """A folder of hashed names shows no authority until one is needed, and is a store all the same."""
    asked = []
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    (tmp_path / "0a1b2c3d.0").write_bytes(Path(authority.ca_bundle).read_bytes())
    context = make_tls_context(spare=lambda: asked.append(1) or authority.ca_bundle)
    assert asked == []
    assert context.anchors == f"the system's certificate store ({tmp_path})"


def test_an_empty_store_without_a_spare_is_named_empty(empty_store, tmp_path):
    """A context made without botocore says that its store is empty."""
    assert make_tls_context().anchors == f"the system's certificate store ({tmp_path / 'certs'}), which is empty"


async def test_a_client_certificate_is_presented_by_our_own_connections(monkeypatch, authority, tmp_path):
    """A server that asks for a certificate gets the one of the session's configuration; without it, it refuses."""
    asking = authority.server_context()
    asking.load_verify_locations(authority.ca_bundle)
    asking.verify_mode = ssl.CERT_REQUIRED
    monkeypatch.setenv("AWS_CA_BUNDLE", authority.ca_bundle)
    (certificate, *_) = Path(authority.ca_bundle).parent.glob("server-*.pem")
    async with ScriptedServer(then=ITEM, tls=asking) as server:
        session = AioSession()
        session.set_default_client_config(AioConfig(client_cert=str(certificate)))
        session.set_credentials("AKID", "secret")
        async with opened(server.url, credentials=None, session=session) as pipeline:
            assert (await pipeline.call(GET)).payload == ITEM.payload
        async with opened(server.url) as pipeline:
            with pytest.raises(errors.TransportError):
                await pipeline.call(GET)
        session.set_default_client_config(AioConfig(client_cert=(str(tmp_path / "none"), str(tmp_path / "key"))))
        with pytest.raises(errors.ClientStateError, match=r"the client certificate in .*none cannot be read"):
            async with opened(server.url, credentials=None, session=session):
                pass


async def test_an_encrypted_proxy_is_verified_and_tunnels(monkeypatch, authority):
    """An ``https://`` proxy is verified by its own bundle, and the endpoint within the tunnel by the client's."""
    with LocalAuthority() as proxies:
        monkeypatch.setenv("AWS_CA_BUNDLE", authority.ca_bundle)
        async with (
            ScriptedServer(then=ITEM, tls=authority.server_context([FAR])) as server,
            tunnels(proxies.server_context()) as (port, heads),
        ):
            session = AioSession()
            session.set_credentials("AKID", "secret")
            url = f"https://{FAR}:{server.endpoint.port}"
            for settings in ({"proxy_ca_bundle": proxies.ca_bundle}, None):
                config = AioConfig(proxies={"https": f"https://localhost:{port}"}, proxies_config=settings)
                session.set_default_client_config(config)
                async with opened(url, credentials=None, session=session) as pipeline:
                    if settings is not None:
                        assert (await pipeline.call(GET)).payload == ITEM.payload
                        continue
                    with pytest.raises(errors.TransportError, match="not trusted") as caught:
                        await pipeline.call(GET)
                    assert "cannot be reached" in str(caught.value)
            assert len(heads) == len(server.requests) == 1


async def test_a_context_of_the_session_is_used(authority):
    """``connector_args`` of a session's configuration may hold a TLS context: it is the client's."""
    context = authority.client_context()
    async with ScriptedServer(then=ITEM, tls=authority.server_context()) as server:
        session = AioSession()
        session.set_credentials("AKID", "secret")
        session.set_default_client_config(AioConfig(connector_args={"ssl_context": context}))
        async with opened(server.url, credentials=None, session=session) as pipeline:
            assert pipeline._session.tls() is context
            assert (await pipeline.call(GET)).payload == ITEM.payload


# ── the clients that providers make ──

ROLE = """<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials>
<AccessKeyId>AKROLE</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken>
<Expiration>2099-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>"""
ROLES = """
[profile base]
aws_access_key_id = AKBASE
aws_secret_access_key = s
[profile role]
role_arn = arn:aws:iam::123456789012:role/orders
source_profile = base
"""


@pytest.mark.parametrize("way", ["direct", "proxy"])
@pytest.mark.parametrize("trusted", ["store", "bundle", "neither"])
async def test_sts_is_trusted_by_the_same_rule(monkeypatch, authority, tmp_path, way, trusted):
    """A role is assumed over TLS that the system's store or the configured file proves, and else not at all."""
    (tmp_path / "config").write_text(ROLES)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    monkeypatch.setenv("AWS_RETRY_MODE", "standard")
    if trusted != "neither":
        monkeypatch.setenv("SSL_CERT_FILE" if trusted == "store" else "AWS_CA_BUNDLE", authority.ca_bundle)
    answer = Reply(ROLE.encode(), headers={"Content-Type": "text/xml"}, checksum="absent")
    async with (
        ScriptedServer(then=answer, tls=authority.server_context(["localhost", FAR])) as sts,
        ScriptedServer(then=ITEM) as server,
        tunnels() as (port, heads),
    ):
        host = "localhost" if way == "direct" else FAR
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", f"https://{host}:{sts.endpoint.port}")
        if way == "proxy":
            monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{port}")
        async with opened(server.url, credentials=None, profile_name="role", timeout=30.0) as pipeline:
            if trusted == "neither":
                with pytest.raises(errors.CredentialsError, match=r"to https://.* that is trusted: AWS_CA"):
                    await pipeline.call(GET)
            else:
                assert (await pipeline.call(GET)).payload == ITEM.payload
        assert len(sts.requests) == (0 if trusted == "neither" else 1)
        assert bool(heads) is (way == "proxy")


@pytest.mark.parametrize("trusted", ["store", "bundle", "neither"])
async def test_a_container_s_endpoint_is_trusted_by_the_same_rule(monkeypatch, authority, trusted):
    """An endpoint over TLS, such as a developer's own, is proven by the store or the configured file."""
    issued = {"AccessKeyId": "AKBOX", "SecretAccessKey": "s", "Token": "t", "Expiration": "2099-01-01T00:00:00Z"}
    monkeypatch.setattr("aiobotocore.utils.AioContainerMetadataFetcher.SLEEP_TIME", 0.0)
    monkeypatch.setattr("mizzle_async.wire.session.credentials.FIRST_PAUSE_SECONDS", 60.0)
    monkeypatch.setattr("mizzle_async.wire.session.credentials.LOOK_SECONDS", 60.0)
    if trusted != "neither":
        monkeypatch.setenv("SSL_CERT_FILE" if trusted == "store" else "AWS_CA_BUNDLE", authority.ca_bundle)
    async with (
        ScriptedServer(then=Reply(issued), tls=authority.server_context()) as box,
        ScriptedServer(then=ITEM) as server,
    ):
        monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{box.url}/role")
        async with opened(server.url, credentials=None) as pipeline:
            if trusted == "neither":
                with pytest.raises(errors.CredentialsError, match="could not be loaded"):
                    await pipeline.call(GET)
            else:
                assert (await pipeline.call(GET)).payload == ITEM.payload
        assert len(box.requests) == (0 if trusted == "neither" else 1)
