"""The stages that DVC and Hydra run: one thin entry point for each block of `dvc.yaml`."""

from pipeline.project.interruption import end_while_importing

# `python -m stages.NAME` imports this package first, so a signal is handled while the stage imports its own packages.
end_while_importing()
