"""The one error of the engines. It knows nothing of DynamoDB: an engine that does not run is no answer of a service."""


class EngineError(RuntimeError):
    """An engine could not be set up, started or asked; the text says which, why and what to do."""

    __module__ = "mizzle_async.testing"
