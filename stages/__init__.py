"""The stages that DVC and Hydra run: one thin entry point for each block of `dvc.yaml`."""
