"""The same questions to any bank's line: what it supports, and where it deviates."""
