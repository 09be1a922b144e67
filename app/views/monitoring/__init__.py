"""The monitoring page: drift, performance and traffic of a time range."""
