"""The pages of versions: models, and the comparison of two."""
