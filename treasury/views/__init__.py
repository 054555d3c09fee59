"""Pages of the treasury on the desk."""
