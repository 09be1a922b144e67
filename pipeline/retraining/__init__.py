"""Train a model again on labeled rows of the log: triggers, guards, gate, branch and trial."""
