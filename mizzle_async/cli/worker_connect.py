"""The client of a worker of the shell. It imports no more than the client: a worker has no options to read."""

from __future__ import annotations

from attrs import frozen

from mizzle_async.handles.client import Client


@frozen
class WorkerConnect:
    """Makes the client of a worker, with the address of the command's own. It travels by pickle."""

    endpoint_url: str | None
    profile_name: str | None
    region_name: str | None
    timeout: float

    def __call__(self) -> Client:
        """Return a new client."""
        return Client(
            endpoint_url=self.endpoint_url,
            profile_name=self.profile_name,
            region_name=self.region_name,
            timeout=self.timeout,
        )
