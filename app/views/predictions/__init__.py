"""The pages of predictions: predict, history, and one prediction."""
