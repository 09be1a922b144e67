"""An MLOps engine for tabular classification in which everything is declared in YAML."""
