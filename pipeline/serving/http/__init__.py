"""The HTTP API: routes, limits, credentials, problems, metrics; it asks the engine for every answer."""
