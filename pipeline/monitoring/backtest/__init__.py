"""Try drift thresholds on windows that are known to be calm or drifted."""
