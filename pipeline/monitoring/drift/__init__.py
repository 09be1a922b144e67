"""Detect, describe and report drift of features and predictions."""
