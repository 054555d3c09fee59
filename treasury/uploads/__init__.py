"""Files of proposals: read into rows, each problem with its row number."""
