"""The pages, one in each module; each offers `render`."""
