"""Rows from their declared source, read strictly, with a fingerprint; and their split into train and test."""
