"""The loop page: trials, retrains and the decisions of the loop."""
