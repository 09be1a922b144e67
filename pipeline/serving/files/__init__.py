"""Score files of rows, and read and export the log as files."""
