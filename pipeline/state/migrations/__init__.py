"""Every form that the tables ever had, and the way from each to the next."""
