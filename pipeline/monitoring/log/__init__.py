"""What the prediction log holds in a window: batches, counts, roll-ups."""
