"""One frozen Pydantic model for each group of conf/: keys, types, units and bounds."""
