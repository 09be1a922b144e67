"""The pages of the project: data, experiments, reports and configuration."""
