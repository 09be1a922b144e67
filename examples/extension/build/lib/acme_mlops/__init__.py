"""Parts that a team adds to the engine without a fork."""
