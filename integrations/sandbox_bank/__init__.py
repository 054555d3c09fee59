"""A bank to practise against: own process, own book, no code shared with the rest of the house."""
