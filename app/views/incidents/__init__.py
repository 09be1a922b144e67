"""The pages of incidents: the list, and the report of one."""
