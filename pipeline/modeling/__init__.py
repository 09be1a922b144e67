"""Encode features, and fit, calibrate and evaluate classifiers."""
