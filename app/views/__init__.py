"""The pages, in a folder for each part of the app; the module of a page offers `render`."""
