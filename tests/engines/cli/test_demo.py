"""The demonstration, on fewer airports."""

import contextlib

from mizzle_async import Client
from mizzle_async.cli import demo


def test_demo(shell, engine, monkeypatch):
    """The demonstration runs to its end, and shows what it has done."""
    wanted = [
        row for row in demo.airports() if row.country == "DE" or row.timezone == "Europe/Zurich" or row.iata == "LHR"
    ]
    monkeypatch.setattr(demo, "airports", lambda: wanted)
    monkeypatch.setattr(demo, "EmbeddedEngine", lambda: contextlib.nullcontext(engine))
    monkeypatch.setattr(demo, "Client", lambda **settings: demo_client(engine, settings))
    result = shell("demo")
    assert result.exit_code == 0
    assert "Frankfurt am Main" in result.stdout
    assert f"{len(wanted):,} airports" in result.stdout
    assert "visits 0 → 1" in result.stdout
    assert '{"S": "DE"}' in result.stdout
    assert "Next: `mizzle-async local`" in result.stdout


def demo_client(engine, settings):
    """Return a client with the engine's own region and credentials."""
    return Client(**settings | {"region_name": engine.region_name, "credentials": engine.credentials})
