"""Read files of rows that are no CSV text, each format through one table of readers."""
