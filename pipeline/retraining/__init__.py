"""Train a model again on logged predictions with their outcomes, as a branch that a person can read."""
