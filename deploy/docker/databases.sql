-- The tracking server keeps its tables apart from ours.
CREATE DATABASE mlflow;
