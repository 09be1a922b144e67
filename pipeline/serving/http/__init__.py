"""The HTTP API of the engine: endpoints, authentication, limits, problem documents and metrics."""
