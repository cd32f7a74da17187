"""The error of the engines. It is no `MizzleError`: an engine that does not run is no answer of a service."""


class EngineError(RuntimeError):
    """An engine could not be installed or started, or did not answer. The text says which one, why and what to do."""

    __module__ = "mizzle_async.testing"
