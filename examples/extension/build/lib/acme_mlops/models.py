"""An estimator of a team: `_target_: acme_mlops.models.ShrunkLogistic` in a file of conf/model/."""

from sklearn.linear_model import LogisticRegression


class ShrunkLogistic(LogisticRegression):
    """A logistic regression whose probabilities shrink toward equal ones."""

    def __init__(self, shrinkage=0.1, C=1.0, max_iter=200, random_state=None):
        super().__init__(C=C, max_iter=max_iter, random_state=random_state)
        self.shrinkage = shrinkage

    def predict_proba(self, X):
        """Return probabilities, shape (n_rows, n_classes)."""
        probabilities = super().predict_proba(X)
        return (1 - self.shrinkage) * probabilities + self.shrinkage / probabilities.shape[1]
