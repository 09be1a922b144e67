"""Create a copy of a project with simulated traffic, apart from production."""

from pipeline.demo.demo_project import create_demo, remove_demo

__all__ = ["create_demo", "remove_demo"]
