"""Estimate and measure how well a model does in a window."""
