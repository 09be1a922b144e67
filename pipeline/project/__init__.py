"""The root of a project, the paths below it, and the outputs that DVC tracks."""
