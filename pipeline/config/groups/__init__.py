"""One frozen model for each group of conf/: what may be said there, in which type and unit."""
