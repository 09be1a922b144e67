"""Programs that run in environments of their own, each with a real client, and print what it got as JSON."""
