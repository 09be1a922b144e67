"""Where a project's files are."""
