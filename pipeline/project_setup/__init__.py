"""Create a project on the installed engine, and upgrade it to a newer one."""

from pipeline.project_setup.project_creation import CreatedProject, ProblemFile, create_project
from pipeline.project_setup.project_upgrade import ProjectUpgrade, apply_upgrade, plan_upgrade

__all__ = ["CreatedProject", "ProblemFile", "ProjectUpgrade", "apply_upgrade", "create_project", "plan_upgrade"]
