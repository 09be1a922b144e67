"""Check, repair, summarize and profile a project."""
